"""Chapter 06: other right answers, and the same quantities from the library."""

import torch

from diffusion_course import guidance


@torch.enable_grad()
def guidance_with_one_graph(D, log_prob, x, sigma, scale):
    # Through eps, with the gradient of each sample's own number.
    x = x.clone().requires_grad_()
    value = log_prob(x, sigma)
    (gradient,) = torch.autograd.grad(value, x, torch.ones_like(value))
    eps = (x - D(x, sigma)) / sigma - scale * sigma * gradient
    return (x - sigma * eps).detach()


def cfg_in_one_batch(model, x, sigma, y, w, no_label):
    both = model(torch.cat([x, x]), sigma, torch.cat([y, torch.full_like(y, no_label)]))
    cond, uncond = both.chunk(2)
    return w * cond - (w - 1) * uncond


def labels_one_by_one(labels, u, p, no_label):
    return torch.tensor([no_label if v < p else y for y, v in zip(labels, u, strict=True)])


def cfg_by_the_library(model, x, sigma, y, w, no_label):
    cond, uncond = (lambda x, s, k=k: model(x, s, k) for k in (y, torch.full_like(y, no_label)))
    return guidance.cfg(cond, uncond, w)(x, sigma)


ALTERNATIVES = {
    "06-classifier_guidance": [guidance_with_one_graph],
    "06-drop_labels": [lambda y, u, p, none: y.masked_fill(u < p, none)],
    "06-cfg": [cfg_in_one_batch],
}

LIBRARY = {
    "06-classifier_guidance": lambda D, log_prob, x, sigma, s: guidance.classifier(D, log_prob, s)(x, sigma),
    "06-drop_labels": labels_one_by_one,  # the library has no function for it
    "06-cfg": cfg_by_the_library,
}
