"""The tests, in the same folders as the app; a package, so that no installed one of this name is taken for it."""
