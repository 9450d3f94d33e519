"""The experiments of Sabanayagam et al. (2023), one module each."""
