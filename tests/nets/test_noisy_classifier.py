"""The classifier that guides: what it sees, and the log-probability it gives."""

import torch

from diffusion_course import guidance
from diffusion_course.denoisers import GaussianMixture
from diffusion_course.nets.classifier import NoisyClassifier

X = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def fresh():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = NoisyClassifier(width=8).eval()
        for p in net.parameters():
            torch.nn.init.normal_(p, std=0.1)
        return net


def test_log_probabilities_of_all_classes_sum_to_one():
    net, sigma = fresh(), torch.tensor([0.1, 0.5, 1.0, 2.0, 10.0, 80.0])
    total = sum(net.given(y)(X, sigma).exp() for y in range(10))
    assert torch.allclose(total, torch.ones(6))
    labels = torch.tensor([0, 1, 2, 3, 4, 5])
    one_by_one = torch.stack([net.given(int(y))(X[i : i + 1], sigma[i])[0] for i, y in enumerate(labels)])
    assert torch.allclose(net.given(labels)(X, sigma), one_by_one, atol=1e-5)


def test_it_depends_on_the_noise_level():
    net = fresh()
    assert not torch.allclose(net(X, torch.tensor(0.1)), net(X, torch.tensor(1.0)))


def test_its_input_has_unit_scale_at_every_noise_level():
    """At large sigma x / sigma is all it sees, so a hundred times the noise changes only the level it is told."""
    net, seen = fresh(), []
    net.first.register_forward_hook(lambda module, args, out: seen.append(args[0].std()))
    for sigma in (1e-3, 1.0, 1e3):
        net(0.5 * X + sigma * X.flip(0), torch.tensor(sigma))
    assert min(seen) > 0.4
    assert max(seen) < 1.3


def test_it_guides():
    mixture = GaussianMixture(torch.zeros(1, 784), torch.ones(1))

    def D(x, sigma):
        return mixture(x.flatten(1), sigma).reshape(x.shape)

    net, sigma = fresh(), torch.tensor(2.0)
    guided = guidance.classifier(D, net.given(3), 5.0)
    towards = X + 0.1 * (guided(X, sigma) - D(X, sigma)) / (guided(X, sigma) - D(X, sigma)).norm()
    assert (net.given(3)(towards, sigma) > net.given(3)(X, sigma)).all()
