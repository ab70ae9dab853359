"""The commands of the command line, one file each; everything heavy is imported inside them."""
