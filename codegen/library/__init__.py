"""The functions of the op library, cut to what a file needs of them."""
