"""Networks of diffusers, as their own `save_pretrained` writes them: our sampling with them is diffusers' own."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from diffusion_course import CourseError, Noise, gaussian, sample, samplers
from diffusion_course.experiments import zoo
from diffusion_course.experiments.released import hub, text
from diffusion_course.guidance import cfg

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")

SIZES = {"sample_size": 8, "block_out_channels": (16, 16), "layers_per_block": 1, "norm_num_groups": 8}
PLAIN = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
CROSS = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 12,
    "attention_head_dim": 8,
}
X = Noise(0).randn(2, 4, 8, 8)
HIDDEN = Noise(1).randn(2, 5, 12)


def unet(kind="UNet2DModel", channels=4, **options):
    torch.manual_seed(0)
    made = getattr(diffusers, kind)(in_channels=channels, out_channels=channels, **SIZES, **options)
    with torch.no_grad():  # a network that answers about its input, so that samples stay of size 1
        for weights in made.conv_out.parameters():
            weights.mul_(0.3)
    return made.eval()


def scheduler(kind="DDIMScheduler", **options):
    # "trailing", and 40 of T = 1000: the previous timestep of the scheduler is that of its list.
    options = {"beta_schedule": "linear", "timestep_spacing": "trailing", **options}
    return getattr(diffusers, kind)(num_train_timesteps=1000, **options)


def saved(folder, net, schedule):
    net.save_pretrained(folder)
    schedule.save_pretrained(folder)
    return folder


def ours(D, schedule):
    alpha_bar = schedule.alphas_cumprod.double()[schedule.timesteps]
    grid = torch.cat([((1 - alpha_bar) / alpha_bar).sqrt(), torch.zeros(1)])
    return sample(D, gaussian.to_ve(X, grid[0]), grid, samplers.ddim())


def theirs(predict, schedule):
    x = X
    with torch.no_grad():
        for t in schedule.timesteps:
            x = schedule.step(predict(x, t), t, x).prev_sample
    return x


def close(a, b):
    """To 1e-5 of the samples' size: a network that predicts eps and was never trained makes them large."""
    size = b.abs().max().clamp(min=1)
    torch.testing.assert_close(a / size, b / size, atol=1e-5, rtol=0)


@pytest.mark.parametrize("predicts", hub.PREDICTIONS)
@pytest.mark.parametrize("betas", ["linear", "squaredcos_cap_v2"])
def test_ddim_samples_are_those_of_diffusers(tmp_path, predicts, betas):
    net, schedule = unet(**PLAIN), scheduler(beta_schedule=betas, prediction_type=predicts, clip_sample=False)
    D = zoo.load(saved(tmp_path, net, schedule))
    schedule.set_timesteps(20)
    close(ours(D, schedule), theirs(lambda x, t: net(x, t).sample, schedule))
    assert not D.training
    assert not any(w.requires_grad for w in D.parameters())


def test_noise_levels_between_the_steps_are_those_of_diffusers(tmp_path):
    net, schedule = (
        unet(**PLAIN),
        scheduler("EulerDiscreteScheduler", use_karras_sigmas=True, prediction_type="v_prediction"),
    )
    D = zoo.load(saved(tmp_path, net, schedule))
    schedule.set_timesteps(12)
    x = start = X * schedule.init_noise_sigma
    grid = schedule.sigmas.double()
    with torch.no_grad():
        for t in schedule.timesteps:
            x = schedule.step(net(schedule.scale_model_input(x, t), t).sample, t, x).prev_sample
    close(sample(D, start, grid, samplers.euler), x)


def test_a_class_is_given(tmp_path):
    net, schedule = unet(**PLAIN, num_class_embeds=3), scheduler(prediction_type="sample", clip_sample=False)
    D = zoo.load(saved(tmp_path, net, schedule))
    schedule.set_timesteps(10)
    labels = torch.tensor([2, 0])
    close(ours(D.given(labels), schedule), theirs(lambda x, t: net(x, t, labels).sample, schedule))
    with pytest.raises(CourseError, match=r"condition: got none, want labels \(B,\) in 0\.\.2"):
        D(X, 1.0)


def test_hidden_states_are_given_and_guided_in_one_batch(tmp_path):
    net, schedule = (
        unet("UNet2DConditionModel", **CROSS),
        scheduler(prediction_type="v_prediction", clip_sample=False),
    )
    D = zoo.load(saved(tmp_path, net, schedule))
    schedule.set_timesteps(10)
    none = torch.zeros(1, 5, 12)

    def guided(x, t):
        base = net(x, t, none.expand(2, -1, -1)).sample
        return base + 3 * (net(x, t, HIDDEN).sample - base)

    close(ours(D.given(HIDDEN), schedule), theirs(lambda x, t: net(x, t, HIDDEN).sample, schedule))
    close(ours(cfg(D.given(HIDDEN), D.given(none), 3.0), schedule), theirs(guided, schedule))
    for wrong in (7, "a cat"):
        with pytest.raises(CourseError, match=f"condition: got {wrong!r}, want hidden states"):
            D.net(X, torch.ones(2), wrong)
    with pytest.raises(CourseError, match="condition: got none, want hidden states"):
        D(X, 1.0)
    with pytest.raises(CourseError, match=r"condition: got shape \(2,\), want hidden states"):
        D.given(3)(X, 1.0)


@pytest.mark.parametrize("betas", ["linear", "squaredcos_cap_v2"])
def test_a_schedule_that_ends_in_pure_noise_is_sampled_as_diffusers_does(tmp_path, betas):
    net = unet(**PLAIN)
    schedule = scheduler(
        beta_schedule=betas, rescale_betas_zero_snr=True, prediction_type="v_prediction", clip_sample=False
    )
    D = zoo.load(saved(tmp_path, net, schedule))
    schedule.set_timesteps(20)
    want = theirs(lambda x, t: net(x, t).sample, schedule)
    schedule.alphas_cumprod[-1] = schedule.alphas_cumprod[-2] / 1000  # sigma is infinite there
    close(ours(D, schedule), want)


@pytest.mark.parametrize("part", ["", "unet"])
def test_pipelines_and_their_parts_are_found(tmp_path, part):
    net = unet(channels=3, **PLAIN)
    diffusers.DDIMPipeline(net, scheduler()).save_pretrained(tmp_path)
    assert zoo.load(tmp_path / part).net.channels == 3


def test_learned_variances_are_left_out(tmp_path):
    net = diffusers.UNet2DModel(in_channels=4, out_channels=8, **SIZES, **PLAIN)
    D = zoo.load(saved(tmp_path, net, scheduler("DDPMScheduler", variance_type="learned_range")))
    assert D(X, 1.0).shape == X.shape


def test_weights_that_are_no_safetensors_are_read_as_weights_only(tmp_path, monkeypatch):
    folder, asked, load = saved(tmp_path, unet(**PLAIN), scheduler()), [], torch.load
    (folder / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(unet(**PLAIN).state_dict(), folder / "diffusion_pytorch_model.bin")
    monkeypatch.setattr(torch, "load", lambda *a, **k: asked.append(k.get("weights_only")) or load(*a, **k))
    zoo.load(folder)
    assert asked == [True]


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def spoil(path):
    """One number of one weight is NaN."""
    weights = load_file(path)
    weights["conv_in.weight"].view(-1)[3] = torch.nan
    save_file(weights, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "it has no config.json or unet/config.json"),
        (lambda f: (f / "scheduler_config.json").unlink(), "it has no scheduler_config.json"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: damaged, or no JSON"),
        (
            lambda f: edit(f / "config.json", _class_name="Transformer2DModel"),
            "holds a 'Transformer2DModel', want one of UNet2D",
        ),
        (lambda f: edit(f / "config.json", block_out_channels=[16, 24]), "cannot be read|no weights for"),
        (lambda f: edit(f / "config.json", layers_per_block=2), "no weights for '.*', and [0-9]+ more"),
        (
            lambda f: edit(f / "config.json", layers_per_block=-1),
            "describes no '.*', and [0-9]+ more that the file",
        ),
        (lambda f: edit(f / "config.json", down_block_types=["os.system"]), "cannot be read"),
        (lambda f: spoil(f / "diffusion_pytorch_model.safetensors"), "holds NaN or infinity"),
        (lambda f: edit(f / "scheduler_config.json", num_train_timesteps=0), "is no scheduler with a table"),
        (lambda f: (f / "diffusion_pytorch_model.safetensors").write_bytes(b"x" * 99), "cannot be read"),
        (lambda f: (f / "diffusion_pytorch_model.safetensors").unlink(), "cannot be read"),
        (
            lambda f: edit(f / "scheduler_config.json", _class_name="ScoreSdeVeScheduler"),
            "'ScoreSdeVeScheduler' is no scheduler",
        ),
        (lambda f: edit(f / "scheduler_config.json", _class_name="logging"), "'logging' is no scheduler"),
        (lambda f: edit(f / "scheduler_config.json", prediction_type="epsilom"), "did you mean 'epsilon'"),
        (lambda f: edit(f / "scheduler_config.json", trained_betas=[0.1, 2.0]), "is not inside"),
    ],
)
def test_damage_and_other_networks_are_one_line(tmp_path, damage, message):
    damage(saved(tmp_path, unet(**PLAIN), scheduler()))
    with pytest.raises(CourseError, match=message) as caught:
        zoo.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_is_on_the_hub_is_told_when_it_cannot_be_fetched(monkeypatch):
    import huggingface_hub

    def offline(name, **options):
        raise OSError("no network\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    wants = r"weights google/ddpm-cifar10-32: no such folder, and the download failed \(no network\); fetch https://huggingface.co/google/ddpm"
    with pytest.raises(CourseError, match=wants):
        zoo.load("google/ddpm-cifar10-32")


def test_what_the_hub_gives_is_read(tmp_path, monkeypatch):
    import huggingface_hub

    folder = saved(tmp_path, unet(**PLAIN), scheduler())
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(folder))
    assert zoo.load("owner/network").net.channels == 4


# ---- text to image


class Letters(nn.Module):
    """A text encoder: a table of vectors."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(100, 12)

    def forward(self, ids):
        return (self.table(ids),)


def tokens(texts):
    return torch.tensor([[ord(letter) % 100 for letter in text[:5].ljust(5)] for text in texts])


def autoencoder():
    torch.manual_seed(1)
    return diffusers.AutoencoderKL(
        latent_channels=4, block_out_channels=(8,), norm_num_groups=4, sample_size=8, scaling_factor=0.2
    )


def test_a_text_is_given_and_latents_become_images():
    net, param = hub.DiffusersNet(unet("UNet2DConditionModel", **CROSS)), hub.PREDICTIONS["epsilon"]
    schedule = hub.NoiseSchedule.from_betas(torch.linspace(1e-4, 0.02, 50))
    D = text.TextToImage(net, param(schedule), tokens, Letters(), autoencoder()).eval()
    with torch.no_grad():
        cat, dog = (D.given(one)(X, 2.0) for one in ("cat", "dog"))
        both = D.given(["cat", "dog"])(X, 2.0)
        torch.testing.assert_close(both, torch.stack([cat[0], dog[1]]))
        assert not torch.allclose(cat, dog, atol=1e-4)
        torch.testing.assert_close(D(X, 2.0), D.given("")(X, 2.0))
        torch.testing.assert_close(
            cfg(D.given("cat"), D.given(""), 2.0)(X, 2.0), 2 * cat - D(X, 2.0), atol=1e-5, rtol=1e-4
        )
    assert D.shape(3) == (3, 4, 8, 8)
    torch.testing.assert_close(D.decode(X), D.vae.decode(X / 0.2).sample)
    for wrong in ([], [1], ()):
        with pytest.raises(CourseError, match="text: want"):
            D.given(wrong)


def test_a_pipeline_of_stable_diffusions_layout_samples_as_its_own(tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"{c}</w>" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (tmp_path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), model_max_length=7
    )
    config = transformers.CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=12,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=7,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    encoder = transformers.CLIPTextModel(config).eval()
    net, schedule = (
        unet("UNet2DConditionModel", **CROSS),
        scheduler(prediction_type="v_prediction", clip_sample=False),
    )
    pipeline = diffusers.StableDiffusionPipeline(
        autoencoder(), encoder, tokenizer, net, schedule, None, None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(tmp_path / "pipeline")
    D = zoo.load(tmp_path / "pipeline")
    want = pipeline(
        ["a cat", "a hat"], num_inference_steps=10, guidance_scale=3.0, latents=X, output_type="latent"
    ).images
    guided = cfg(D.given(["a cat", "a hat"]), D.given(["", ""]), 3.0)
    close(ours(guided, schedule), want)
    (tmp_path / "pipeline" / "tokenizer" / "tokenizer_config.json").write_text("{")
    with pytest.raises(CourseError, match="tokenizer"):
        zoo.load(tmp_path / "pipeline")
