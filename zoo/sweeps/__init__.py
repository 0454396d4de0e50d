"""Many runs as one: planned, frozen, run side by side, taken up again; and searches over them."""
