"""Sliders and quizzes as HTML that `assets/live.js` brings to life. Without JavaScript the first picture and the question stay."""

import base64
import json
from collections.abc import Mapping
from html import escape
from typing import Any

from ...notebook import quiz
from .pictures import Pictures


def slider(data: Mapping[str, Any], name: str, pictures: Pictures) -> str:
    """A slider. data: as `notebook.kernelless.slider` made it. name: no other element of the page begins its id with it."""
    files = [pictures.put(picture) for picture in data["pictures"]]
    controls = data["controls"]
    place = 0
    for control in controls:
        place = place * len(control["values"]) + control["at"]
    alt = f"{data['description']}: {', '.join(_told(control) for control in controls)}"
    rows = "".join(_control(control, f"{name}-{k}") for k, control in enumerate(controls))
    facts = {
        "description": data["description"],
        "controls": [{key: control[key] for key in ("label", "values", "matters")} for control in controls],
        "frames": data["frames"],
        "files": files,
        "interval": data["interval"],
    }
    play = '<button type="button" class="play">Play</button>' if data["interval"] else ""
    return (
        f'<div class="live" role="group" aria-label="{escape(data["description"])}">'
        f'<div class="controls" hidden>{play}{rows}</div>'
        f"{pictures.tag(files[data['frames'][place]], escape(alt), data['width'])}"
        f'<p class="told">{escape(alt)}</p>{_note(data)}'
        f'<script type="application/json">{_json(facts)}</script></div>'
    )


def question(id: str, name: str) -> str:
    """A quiz question. name: as above."""
    sheet = quiz.sheet(id)
    options = "".join(
        f'<label><input type="radio" name="{name}" value="{letter}"> <span>{letter}) {text}</span></label>'
        for letter, text in sheet.options.items()
    )
    # Not in clear, as in the notebooks: reading the page's source is not reading the answer.
    sealed = base64.b64encode(_json({"right": sheet.right, "verdicts": sheet.verdicts}).encode()).decode(
        "ascii"
    )
    return (
        f'<form class="quiz" data-sealed="{sealed}"><fieldset><legend><b>{escape(id)}</b> {sheet.question}</legend>'
        f'{options}</fieldset><button type="submit">Check</button><p class="verdict" role="status"></p></form>'
    )


def _control(control: Mapping[str, Any], id: str) -> str:
    values, at = control["values"], control["at"]
    label = f'<label for="{id}">{escape(control["label"])}</label>'
    if control["menu"]:
        options = "".join(
            f"<option{' selected' if k == at else ''}>{escape(v)}</option>" for k, v in enumerate(values)
        )
        return f'<div class="control">{label}<select id="{id}">{options}</select></div>'
    return (
        f'<div class="control">{label}<input type="range" id="{id}" min="0" max="{len(values) - 1}" value="{at}" '
        f'aria-valuetext="{escape(values[at])}"><output for="{id}">{escape(values[at])}</output></div>'
    )


def _told(control: Mapping[str, Any]) -> str:
    return f"{control['label']} = {control['values'][control['at']]}"


def _note(data: Mapping[str, Any]) -> str:
    """What only the notebook has."""
    more = [] if data["whole"] else ["all"]
    if data["fresh"]:
        more.append("a button for fresh noise")
    if not more:
        return ""
    some = "" if data["whole"] else f"Here are {len(data['frames'])} of its settings; "
    words = f"{some}in a running notebook there {'is' if data['whole'] else 'are'} {', and '.join(more)}."
    return f'<p class="note">{words[0].upper()}{words[1:]}</p>'


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False).replace("</", "<\\/")
