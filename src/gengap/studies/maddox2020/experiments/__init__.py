"""The experiments of Maddox et al. (2020), one module each."""
