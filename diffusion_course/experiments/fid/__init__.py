"""`diffusion-course fid A B`: pictures by name (sources), through a network (networks, seen), compared (compare, command)."""
