"""Chapter 03: other right answers, the same quantities from the library, and what only a model can notice."""

import copy

import pytest
import torch
import torch.nn.functional as F
from formulas import diffuse_row_by_row, posterior_by_precisions, schedule_of, schedule_of_alpha_bar

from diffusion_course import gaussian, losses
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.ch03_watched import measured
from diffusion_course.classroom.checks.inputs import column
from diffusion_course.classroom.checks.machines import training


def x0_by_coefficients(x_t, t, eps, a):
    return column((1 / a).sqrt()[t - 1], x_t) * x_t - column((1 / a - 1).sqrt()[t - 1], x_t) * eps


def step_through_x0(eps_model, x_t, t, z, betas):
    times = torch.full((len(x_t),), t, device=x_t.device)
    guess = x0_by_coefficients(x_t, times, eps_model(x_t, times), (1 - betas).cumprod(0))
    mean, variance = posterior_by_precisions(guess, x_t, times, betas)
    return mean if t == 1 else mean + variance**0.5 * z


def step_by_the_library(eps_model, x_t, t, z, betas):
    schedule = schedule_of(betas)
    mean = gaussian.mean_from_eps(x_t, t, eps_model(x_t, torch.full((len(x_t),), t)), schedule)
    return mean + schedule.posterior_variance[t - 1].sqrt() * z


def x0_sample_by_sample(x_t, t, eps, a):
    signal, noise = a.sqrt(), (1 - a).sqrt()
    return torch.stack([(x - noise[s] * e) / signal[s] for x, e, s in zip(x_t, eps, t - 1, strict=True)])


def x0_through_the_noise_level(x_t, t, eps, a):
    kept = a.index_select(0, t - 1)
    sigma = ((1 - kept) / kept).sqrt()
    return torch.einsum("b...,b->b...", x_t, kept.rsqrt()) - torch.einsum("b...,b->b...", eps, sigma)


def loss_by_a_dot_product(eps_model, x0, t, eps, a):
    error = (eps_model(x_t=diffuse_row_by_row(x0, t, eps, a), t=t) - eps).flatten()
    return torch.dot(error, error) / len(error)


def loss_of_mean_losses(eps_model, x0, t, eps, a):
    """All samples have as many entries: the mean of the samples' means is the mean."""
    error = eps - eps_model(diffuse_row_by_row(x0, t, eps, a), t)
    return torch.stack([each.pow(2).mean() for each in error]).mean()


def step_by_coefficients(eps_model, x_t, t, z, betas):
    alphas = 1 - betas
    kept, before = alphas[:t].prod(), alphas[: t - 1].prod()  # an empty product is 1
    eps = eps_model(x_t, torch.ones(len(x_t), dtype=torch.long, device=x_t.device) * t)
    sigma = (betas[t - 1] * (1 - before) / (1 - kept)).sqrt()
    return alphas[t - 1].rsqrt() * x_t - betas[t - 1] * (alphas[t - 1] * (1 - kept)).rsqrt() * eps + sigma * z


def step_with_a_padded_table(eps_model, x_t, t, z, betas):
    padded = torch.cat([betas.new_ones(1), torch.cumprod(1 - betas, 0)])  # padded[t] is alpha_bar_t
    share = padded[t] / padded[t - 1]
    eps = eps_model(x_t, x_t.new_full((len(x_t),), t, dtype=torch.int64))
    noise = z * ((1 - share) * (1 - padded[t - 1]) / (1 - padded[t])).sqrt() if t > 1 else 0
    return (x_t - (1 - share) * eps / (1 - padded[t]).sqrt()) / share.sqrt() + noise


def step_with_foreach(
    net, ema, optimizer, x0, labels, draws, alpha_bar, target, lr, decay, drop=0.1, max_norm=1.0
):
    """Chances first, gradients zeroed at the end, clipped by hand, and lists of weights in one call."""
    seen = labels.masked_fill(draws.rand((len(x0),)) < drop, net.no_label)
    eps, t = draws.randn(*x0.shape), draws.randint(1, len(alpha_bar) + 1, len(x0))
    a = column(alpha_bar[t - 1], x0)
    loss = F.mse_loss(net(torch.sqrt(a) * x0 + torch.sqrt(1 - a) * eps, t, seen), target(x0, eps, a))
    loss.backward()
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    norm = torch.cat([g.flatten() for g in grads]).norm()
    if norm > max_norm:
        torch._foreach_mul_(grads, max_norm / norm.item())
    for group in optimizer.param_groups:
        group.update(lr=lr)
    optimizer.step()
    net.zero_grad()
    torch._foreach_lerp_(list(ema.parameters()), [p.detach() for p in net.parameters()], 1 - decay)
    return loss.detach()


def step_sample_by_sample(
    net, ema, optimizer, x0, labels, draws, alpha_bar, target, lr, decay, drop=0.1, max_norm=1.0
):
    """Draws and losses one by one, and the average through state_dict."""
    losses = []
    for x, y in zip(x0, labels, strict=True):
        t, eps = draws.randint(1, len(alpha_bar) + 1, (1,)), draws.randn(1, *x.shape)
        a = column(alpha_bar[t - 1], eps)
        y = torch.tensor([net.no_label]) if draws.rand(1) < drop else y[None]
        predicted = net((a.sqrt() * x + (1 - a).sqrt() * eps), t.float(), y)
        losses.append((predicted - target(x[None], eps, a)).pow(2).mean())
    optimizer.zero_grad(set_to_none=False)
    loss = sum(losses) / len(losses)
    loss.backward()
    for group in optimizer.param_groups:
        group["lr"] = lr
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_norm)
    optimizer.step()
    new = net.state_dict()
    ema.load_state_dict({k: decay * v + (1 - decay) * new[k] for k, v in ema.state_dict().items()})
    return float(loss.detach())


def step_with_data(
    net, ema, optimizer, x0, labels, draws, alpha_bar, target, lr, decay, drop=0.1, max_norm=1.0
):
    """A closure, `.data`, and labels as integers 0 and 1 mix them."""
    t, eps, lost = (
        draws.randint(1, len(alpha_bar) + 1, (len(x0),)),
        draws.randn(x0.size()),
        draws.rand(len(x0)),
    )
    a, lost = column(alpha_bar.gather(0, t - 1), x0), (lost < drop).long()
    for group in optimizer.param_groups:
        group["lr"] = lr

    def closure():
        optimizer.zero_grad()
        error = net(a**0.5 * x0 + (1 - a) ** 0.5 * eps, t, lost * net.no_label + (1 - lost) * labels)
        (loss := (error - target(x0, eps, a)).square().mean()).backward()
        torch.nn.utils.clip_grad_norm_(list(net.parameters()), max_norm)
        return loss

    loss = closure()
    optimizer.step()
    for p, q in zip(ema.parameters(), net.parameters(), strict=True):
        p.data.mul_(decay).add_(q.data, alpha=1 - decay)
    return loss.item()


def training_by_the_library(
    net, ema, optimizer, x0, labels, draws, alpha_bar, target, lr, decay, drop, max_norm
):
    t, eps = draws.randint(1, len(alpha_bar) + 1, (len(x0),)), draws.randn(x0.shape)
    seen = torch.where(draws.rand(len(x0)) < drop, net.no_label, labels)
    optimizer.zero_grad()
    loss = losses.eps_loss(lambda x, t: net(x, t, seen), x0, t, eps, schedule_of_alpha_bar(alpha_bar))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    with torch.no_grad():
        for average, weight in zip(ema.parameters(), net.parameters(), strict=True):
            average.copy_(decay * average + (1 - decay) * weight)
    return loss.item()


def shown_by_counting(marks, k):
    """From how often each of two was right alone."""
    N = marks.shape[1]
    alone = marks @ (1 - marks).T  # [i, j]: i right, j wrong
    difference = (alone - alone.T) / N
    reach = k * ((alone + alone.T) / N - difference**2).clamp(min=0).sqrt() / N**0.5
    return difference, reach, difference - reach > 0


def shown_pair_by_pair(marks, k):
    M, N = marks.shape
    difference, reach = marks.new_zeros(M, M), marks.new_zeros(M, M)
    for i in range(M):
        for j in range(M):
            d = marks[i] - marks[j]
            difference[i, j] = d.sum() / N
            reach[i, j] = k * (d - d.mean()).norm() / N
    return difference, reach, torch.gt(difference, reach)


def shown_by_numpy(marks, k):
    """Marks are 0 or 1, of which nobody takes gradients."""
    d = marks.numpy()[:, None] - marks.numpy()[None]
    difference = torch.from_numpy(d.mean(-1))
    reach = k * torch.from_numpy(d.std(-1)) / d.shape[-1] ** 0.5
    return difference, reach, difference > reach


ALTERNATIVES = {
    "03-training_step": [step_with_foreach, step_sample_by_sample, step_with_data],
    "03-shown_better": [shown_by_counting, shown_pair_by_pair, shown_by_numpy],
    "03-eps_loss": [
        lambda m, x, t, e, a: F.mse_loss(m(diffuse_row_by_row(x, t, e, a), t), e),
        loss_by_a_dot_product,
        loss_of_mean_losses,
    ],
    "03-x0_from_eps": [x0_by_coefficients, x0_sample_by_sample, x0_through_the_noise_level],
    "03-ddpm_step": [step_through_x0, step_by_coefficients, step_with_a_padded_table],
}

LIBRARY = {
    "03-training_step": lambda *case: training(training_by_the_library, *case) if "eps" in case else None,
    "03-shown_better": shown_by_counting,  # the library's intervals are of other statistics
    "03-eps_loss": lambda m, x0, t, eps, a: losses.eps_loss(m, x0, t, eps, schedule_of_alpha_bar(a)),
    "03-x0_from_eps": lambda x_t, t, eps, a: gaussian.x0_from_eps(x_t, t, eps, schedule_of_alpha_bar(a)),
    "03-ddpm_step": step_by_the_library,
}


def test_the_model_must_see_a_time_for_each_sample():
    def plain_time(eps_model, x_t, t, z, betas):
        return eps_model(x_t, t)

    with pytest.raises(CheckFailed, match=r"(?s)eps_model got t = .*in line .*return eps_model"):
        examine(CHECKS["03-ddpm_step"], plain_time)


def test_a_loss_that_cannot_train_is_refused():
    with pytest.raises(CheckFailed, match="no gradient flows back to eps_model"):
        examine(CHECKS["03-eps_loss"], torch.no_grad()(CHECKS["03-eps_loss"].reference))


def test_fresh_noise_inside_the_loss_is_refused():
    def own_noise(eps_model, x0, t, eps, alpha_bar):
        return CHECKS["03-eps_loss"].reference(eps_model, x0, t, torch.randn_like(x0), alpha_bar)

    with pytest.raises(CheckFailed, match="changed torch's global random state"):
        examine(CHECKS["03-eps_loss"], own_noise)


def test_the_labels_of_a_batch_may_not_be_changed_in_place():
    def in_place(net, ema, optimizer, x0, labels, draws, *rest):
        labels[draws.rand(len(labels)) < 0.5] = net.no_label
        return 0.0

    with pytest.raises(CheckFailed, match="changed its argument labels in place"):
        examine(CHECKS["03-training_step"], in_place)


def test_a_wrong_step_is_told_where_it_leaves_the_right_path():
    def once_zeroed(net, ema, optimizer, *rest):
        optimizer.zero_grad = lambda: None
        return CHECKS["03-training_step"].reference(net, ema, optimizer, *rest)

    with pytest.raises(
        CheckFailed, match=r"right up to step 2, learning rates.*; then step 2, gradient that"
    ):
        examine(CHECKS["03-training_step"], once_zeroed)


def test_of_two_mistakes_the_first_is_named():
    """The average is not taken, and gradients add up: step 1 shows the one, step 2 the other."""

    def two(net, ema, optimizer, *rest):
        optimizer.zero_grad = lambda: None
        return CHECKS["03-training_step"].reference(net, copy.deepcopy(ema), optimizer, *rest)

    with pytest.raises(
        CheckFailed,
        match=r"step 1, weights of ema.*(\n.*)*At the first wrong state this looks like an ema that does not move",
    ):
        examine(CHECKS["03-training_step"], two)


def told(name, answer):
    with pytest.raises(CheckFailed) as refused:
        examine(CHECKS[name], answer)
    return str(refused.value)


def test_where_only_the_returned_loss_is_wrong_the_training_is_called_right():
    right = CHECKS["03-training_step"].reference
    said = told("03-training_step", lambda *args: right(*args) + 1e4 * float(next(args[1].parameters())[0]))
    assert "All weights are right" in said
    assert "float32" not in said


@pytest.mark.parametrize(("returned", "said"), [(None, "returned None"), ("no", "returned 'no'")])
def test_a_step_that_returns_no_number_is_told_so(returned, said):
    assert f"{said}, want a number: return loss.item()" in told("03-training_step", lambda *args: returned)


def test_gradients_left_by_every_other_step_are_no_matter_of_float32():
    right, count = CHECKS["03-training_step"].reference, iter(range(10**6))

    def now_and_then(net, ema, optimizer, *rest):
        if next(count) % 2:
            optimizer.zero_grad = lambda: None
        else:
            optimizer.__dict__.pop("zero_grad", None)
        return right(net, ema, optimizer, *rest)

    said = told("03-training_step", now_and_then)
    assert "float32" not in said.split("\n", 2)[2]
    assert "left over from the step before" in said or "add up from step to step" in said


def test_where_only_one_of_three_results_is_wrong_the_rule_for_it_is_told():
    def half(marks, k):
        difference, reach, shown = CHECKS["03-shown_better"].reference(marks, k)
        return difference, reach, shown & (difference > 0.5)

    assert "difference and reach are right. shown is difference > reach" in told("03-shown_better", half)


def test_a_factor_that_each_case_has_another_of_is_told():
    def wider(marks, k):
        difference, reach, _ = CHECKS["03-shown_better"].reference(marks, k)
        return difference, reach * len(marks) ** 3, difference > reach * len(marks) ** 3

    said = told("03-shown_better", wider)
    assert "difference is right" in said
    assert "one factor times what is wanted" in said or "len(marks)" in said


def test_of_results_that_follow_from_one_another_the_first_mistake_is_named():
    def two(marks, k):
        difference = (marks[:, None] - marks[None]).mean(-1)
        reach = k * (marks[:, None] - marks[None]).std(-1) / marks.shape[1] ** 0.5
        return difference, reach, difference > 0.1

    assert "At the first wrong result this looks like N - 1 in the place of N" in told("03-shown_better", two)


def test_a_training_step_whose_loss_is_wrong_is_watched():
    right = CHECKS["03-training_step"].reference

    def more_noise(net, ema, optimizer, x0, labels, draws, *rest):
        draws.randn(2)
        return right(net, ema, optimizer, x0, labels, draws, *rest)

    assert (
        "asks draws.randn for 14 numbers, where it needs 12, one number for each entry of x0: each call draws anew."
        in measured(more_noise)
    )

    def other_labels(net, ema, optimizer, x0, labels, *rest):
        return right(net, ema, optimizer, x0, labels.flip(0), *rest)

    assert "Your step shows net wrong labels: [" in measured(other_labels)

    def scaled(net, ema, optimizer, x0, *rest):
        return right(net, ema, optimizer, 2 * x0, *rest)

    assert "Your step shows net a wrong x_t." in measured(scaled)
    assert measured(lambda *args: 3 * right(*args)).startswith(
        "Your step draws rightly, and shows net the right x_t, t and labels."
    )
    assert measured(right) == ""
