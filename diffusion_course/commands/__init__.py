"""The commands of `diffusion-course`, a file for each group of its help; `cli` puts them together."""
