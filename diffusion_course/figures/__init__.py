"""Pictures of the course: plots with axes, grids of images, and the PNG bytes of either. No widgets, no notebook."""
