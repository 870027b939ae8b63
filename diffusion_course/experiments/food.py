"""Food-101 at 64 x 64: torchvision's download, shrunk once to a file of bytes. After that the 5 GB of pictures may be deleted.

Bossard et al. 2014: 101 dishes, 750 pictures of each for training and 250 for testing, at most 512 pixels wide.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CourseError, printable
from ..files import write_json
from . import picture_cache
from .picture_cache import Say
from .torchvision_sets import damaged, opened

SHAPE = (3, 64, 64)
DISHES = """
apple_pie baby_back_ribs baklava beef_carpaccio beef_tartare beet_salad beignets bibimbap bread_pudding
breakfast_burrito bruschetta caesar_salad cannoli caprese_salad carrot_cake ceviche cheese_plate
cheesecake chicken_curry chicken_quesadilla chicken_wings chocolate_cake chocolate_mousse churros
clam_chowder club_sandwich crab_cakes creme_brulee croque_madame cup_cakes deviled_eggs donuts dumplings
edamame eggs_benedict escargots falafel filet_mignon fish_and_chips foie_gras french_fries
french_onion_soup french_toast fried_calamari fried_rice frozen_yogurt garlic_bread gnocchi greek_salad
grilled_cheese_sandwich grilled_salmon guacamole gyoza hamburger hot_and_sour_soup hot_dog
huevos_rancheros hummus ice_cream lasagna lobster_bisque lobster_roll_sandwich macaroni_and_cheese
macarons miso_soup mussels nachos omelette onion_rings oysters pad_thai paella pancakes panna_cotta
peking_duck pho pizza pork_chop poutine prime_rib pulled_pork_sandwich ramen ravioli red_velvet_cake
risotto samosa sashimi scallops seaweed_salad shrimp_and_grits spaghetti_bolognese spaghetti_carbonara
spring_rolls steak strawberry_shortcake sushi tacos takoyaki tiramisu tuna_tartare waffles
"""
CLASSES = tuple(DISHES.split())


def food101_64(train: bool, root: Path, say: Say) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Pixels (N, 3, 64, 64), uint8, mapped from a file, labels (N,), and the classes, sorted by name.

    Raises CourseError as `data.load` does, and where listed pictures are missing.
    """
    split = "train" if train else "test"
    cache = root / "food101-64" / split
    images = _folder(root) / "images"
    journal, listed = picture_cache.finished(cache, split, SHAPE), _noted(cache)
    if journal is None or listed is None or journal["total"] != len(listed):
        journal, listed = None, _listed(split, root)
        _check_there(listed, root)
        _note(cache, listed)
    if journal is None or (journal["skipped"] and images.is_dir() and os.access(cache, os.W_OK)):
        pixels, rows = picture_cache.cached(cache, split, images, listed, SHAPE, say)
    else:  # it needs the pictures no more, and may lie where only others write
        picture_cache.tell_skipped(journal, listed, say)
        pixels, rows = picture_cache.kept(cache, journal, images)
    classes = tuple(sorted({_class(name) for name in listed}))
    return pixels, torch.tensor([classes.index(_class(listed[i])) for i in rows]), classes


def _folder(root: Path) -> Path:
    return root / "food-101"


def _class(name: str) -> str:
    return name.partition("/")[0]


def _listed(split: str, root: Path) -> list[str]:
    """The pictures of a split, "apple_pie/1005649.jpg", ..., as the set's own list has them."""
    folder = _folder(root)
    meta = [folder / "meta" / f"{one}.json" for one in ("train", "test")]
    opened(lambda download: _made(split, root, download), "Food101", root, folder, meta, INSTEAD)
    held = json.loads((folder / "meta" / f"{split}.json").read_text(encoding="utf-8"))
    try:
        names = [f"{name}.jpg" for inside in held.values() for name in inside]
        if not names or any(not _class(name) or ".." in name.split("/") for name in names):
            raise ValueError("its list of pictures is none")
        return names
    except (AttributeError, TypeError, ValueError) as error:
        raise damaged("Food101", folder, error) from None


INSTEAD = "or give a folder or zip of pictures"


def _made(split: str, root: Path, download: bool) -> Any:
    """torchvision's set. It is downloaded and unpacked beside its place, so that what lies there is whole."""
    from torchvision.datasets import Food101

    if download:
        folder, part = _folder(root), root / ".food-101.part"
        if folder.exists():
            raise damaged("Food101", folder, "it lacks the folder meta or images")
        shutil.rmtree(part / folder.name, ignore_errors=True)
        part.mkdir(parents=True, exist_ok=True)
        archive = root / "food-101.tar.gz"
        if archive.is_file() and not (part / archive.name).exists():
            (part / archive.name).symlink_to(archive.absolute())
        Food101(part, split, download=True)
        os.replace(part / folder.name, folder)
        shutil.rmtree(part)
    return Food101(root, split)


def _check_there(names: list[str], root: Path) -> None:
    images = _folder(root) / "images"
    missing = [name for name in names if not (images / name).is_file()]
    if missing:
        raise CourseError(
            f"Food101: {len(missing):,} of {len(names):,} pictures are missing in {images}, e.g. {printable(missing[0])}; "
            f"delete {_folder(root)}, then load again"
        )


def _noted(cache: Path) -> list[str] | None:
    try:
        names = json.loads((cache / "names.json").read_text(encoding="utf-8"))
        return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None
    except (OSError, ValueError):
        return None


def _note(cache: Path, names: list[str]) -> None:
    """The names, in the cache: with them it needs the pictures no more. Those of another list make it begin afresh."""
    if _noted(cache) != names:
        (cache / "pictures.json").unlink(missing_ok=True)
        write_json(cache / "names.json", names)
