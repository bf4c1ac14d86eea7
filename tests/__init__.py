"""The tests, in the folders of the app; a package, lest an installed one of this name be taken for it."""
