"""A points file says what things are worth and how; each mistake in it is one line."""

import pytest

from diffusion_course.classroom import points_file
from diffusion_course.errors import CourseError


def read(tmp_path, text):
    path = tmp_path / "points.yaml"
    path.write_text(text)
    return points_file.read(path)


def test_all_that_it_can_say(tmp_path):
    said = read(
        tmp_path,
        """
01-diffuse: 5
04-even_betas: {2: 1.5, 4: 0.75}
04-other: {marks: {1: 2.0, 3: 1.0}, rubric: {the idea: 3}}
03-eps_loss: {points: 4, shares: {a sum: 2}, rubric: {the mean: 3, no loop: 1}}
14-study: {task: {the question: 2, the reading: 4}}
09-essay: {task: {}}
""",
    )
    assert said.points == {"01-diffuse": 5, "04-even_betas": 4, "04-other": 3, "03-eps_loss": 4}
    assert said.marks == {"04-even_betas": {2: 1.5, 4: 0.75}, "04-other": {1: 2.0, 3: 1.0}}
    assert said.shares == {"03-eps_loss": {"a sum": 2}}
    assert said.rubrics == {"04-other": {"the idea": 3}, "03-eps_loss": {"the mean": 3, "no loop": 1}}
    assert said.tasks == {"14-study": {"the question": 2, "the reading": 4}, "09-essay": {}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("14-study: {tsk: {a: 1}}", "--points: 14-study: got 'tsk', want an integer >= 1"),
        (
            "14-study: {task: {a: 1}, points: 3}",
            "line 1: 14-study: a task has its lines, and nothing besides",
        ),
        ("study: {task: {a: 1}}", "want a name like '03-defence'"),
        ("14-study: {task: [a]}", "want lines of 14-study like 'the question: 2', got a list"),
        ("14-study: {task: {a: 0}}", "a: want a whole number in 1..1000, got '0'"),
        ("14-study:\n  task:\n    a: 1\n    a: 2", "line 4: a is there twice, before in line 3"),
        ("01-a: {points: 2, marks: {2: 1.0}}", "its marks say what it is worth; leave out points"),
        ("01-a: {points: x}", "--points: 01-a: got 'x', want an integer >= 1"),
        ("01-a: {points: 2, share: {a: 1}}", "unknown key 'share': did you mean 'shares'?"),
        ("01-a: {shares: 3}", "want lines of 01-a"),
        ("01-a: {marks: 3}", "--points: 01-a"),
        ("01-a: {}", "--points: 01-a"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, text, told):
    with pytest.raises(CourseError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
