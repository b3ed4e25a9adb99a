"""The commands of the command line, one a file; heavy imports only where a command needs them."""
