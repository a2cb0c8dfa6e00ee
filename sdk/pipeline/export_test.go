package pipeline

// Within is within, for tests.
var Within = within
