package signup

// Languages are those that messages are written in (BCP 47); the first is written
// where none is asked for that we know.
var Languages = []string{"en", "es"}
