"""The main job on real servers, from nothing: what `make demo` and the molecule scenario run."""
