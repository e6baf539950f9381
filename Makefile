# `make help` lists what there is to do.

export GOFLAGS ?= -buildvcs=false
GENERATED = graph/generated.go graph/models_gen.go resolvers/schema.resolvers.go

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: ## start the server with embedded stores
	go run .

generate: ## generated code, the playground's assets and the client's types
	go tool gqlgen generate
	cd web && npm run --silent build
	cd web/client && npm run --silent generate

check: ## format, vet, drift of generated code and assets
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt-ed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	@before=$$(cat $(GENERATED) | sha256sum); go tool gqlgen generate; after=$$(cat $(GENERATED) | sha256sum); \
	  test "$$before" = "$$after" || { echo "generated code had drifted from schema.graphqls; commit what 'make generate' makes"; exit 1; }
	cd web && npm run --silent check
	cd web/client && npm run --silent check

prerequisites:
	@test/prerequisites.sh

# Every test, on real services and in Chromium, with the race detector; the
# engine's truth table runs whole without it. A skipped test fails the run.
test: prerequisites check ## everything that must pass before a change lands
	STEPWISE_REAL=1 go run ./test/report ./engine/... -- -race $$(go list ./... | grep -v '^stepwise/engine')

bench: ## benchmarks of the hot paths
	go test -run "^$$" -bench . -benchmem . ./internal/transport ./internal/store/... ./internal/password

screenshots: prerequisites ## pictures of every mail, in docs/screenshots
	cd test/web && node screenshots.mjs

campaign: prerequisites ## the long campaigns: crash simulation, kill -9 loop, fuzzing
	CAMPAIGN=1 STEPWISE_REAL=1 go test -count=1 -timeout 6h ./engine ./resolvers ./internal/signup/... ./test/e2e

.PHONY: help run generate check prerequisites test bench screenshots campaign
.DEFAULT_GOAL := help
