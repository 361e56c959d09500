"""The live explorer: the package in the reader's browser, from files that the site itself serves."""
