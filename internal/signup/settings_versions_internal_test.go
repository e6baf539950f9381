package signup

// ChangesOf is what the history says of two versions.
var ChangesOf = changesOf
