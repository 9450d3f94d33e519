"""The experiments of Ortiz-Jimenez et al. (2021), one module each."""
