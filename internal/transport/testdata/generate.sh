#!/bin/sh
# Regenerates the executable schema that the tests of this package serve; run it
# by `go generate`. gqlgen writes ordinary packages only, so it writes one into a
# scratch folder, and the result becomes two _test.go files.
set -eu
mkdir scratch
trap 'rm -rf scratch' EXIT
sed 's/^package transport_test/package scratch/' even_test.go > scratch/even.go
go run github.com/99designs/gqlgen generate --config testdata/gqlgen.yml
for file in schema models; do
	sed -e 's/^package scratch/package transport_test/' \
		"scratch/${file}_generated.go" > "${file}_generated_test.go"
done
