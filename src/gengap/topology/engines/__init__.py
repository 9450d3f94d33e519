"""The engines of persistent homology, one module each."""
