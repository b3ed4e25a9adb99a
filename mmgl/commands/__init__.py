"""The commands of the command line that are more than a few lines; each is imported only when it runs."""
