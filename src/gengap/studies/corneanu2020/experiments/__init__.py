"""The experiments of Corneanu et al., a module each."""
