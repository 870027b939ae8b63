"""Networks. Each is called as net(x, c_noise, labels=None) and knows nothing of diffusion but its noise level."""
