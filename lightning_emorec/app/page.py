"""The page itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils, route_utils

from lightning_emorec.app.answer import answer_html
from lightning_emorec.app.overview import Overview, look_at
from lightning_emorec.app.uploads import Uploads
from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.recognizer import Recognizer
from lightning_emorec.recognition.rows import to_dict
from lightning_emorec.recognition.segment import Segment
from lightning_emorec.recognition.sources import Source

TITLE = "Emotion in speech"

NOTICE = """<div class="notice" role="note"><p><b>Not for judging people.</b> A label names what a voice expresses, as
actors do on purpose; it is not what a person feels. In the EU, inferring emotions at work and in education is
prohibited (Regulation (EU) 2024/1689, Article 5(1)(f)), and persons exposed must be informed (Article 50(3)).
More in the documentation: docs/law.md.</p>
{notes}</div>"""

WAITING = 20
"""Most requests that wait; further ones are refused."""

MODEL = "model"
"""All that use the model wait for each other."""


class _OwnFile(route_utils.GradioUploadFile):
    """An upload in a folder of its own: Gradio names folders by content, so equal uploads would share a file."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.sha.update(os.urandom(16))


async def _refuse(url: str, cache_dir: str) -> str:  # noqa: ARG001 - those of the function that it replaces
    """In place of fetching what a client names by its address."""
    raise gr.Error(f"expected a recording; found the address {url}; send the file", print_exception=False)


class Judge:
    """Answers one recording at a time.

    Args:
        recognizer: The one for all visitors.
        uploads: Where recordings are.
        most_s: Longest recording in s.
    """

    def __init__(self, recognizer: Recognizer, uploads: Uploads, most_s: float) -> None:
        self.recognizer, self.uploads, self.most_s = recognizer, uploads, most_s
        self.stopping = False

    def __call__(
        self, path: str | None, text: str, tell: Callable[[float, str], object]
    ) -> tuple[list[Segment], Overview]:
        """Label a recording, and remove it whatever happens.

        Args:
            path: Where Gradio has put it.
            text: What is said; empty where that is not known.
            tell: Takes the share that is done, and of what.

        Raises:
            EmorecError: There is none, it cannot be read or is too long, or the page is closing.
        """
        if not path:
            raise EmorecError("a recording", "none", "record one, or choose a file")
        with self.uploads.taken(Path(path)) as mine:
            tell(0, "Reading")
            overview = look_at(mine, self.most_s)
            found = []
            for segment in self.recognizer.judge(Source(mine.name, mine, text=text.strip() or None)):
                if self.stopping:
                    raise EmorecError("time to answer", "a page that is closing", "ask again later")
                found.append(segment)
                tell(min(1.0, segment.end / max(overview.duration, 1e-6)), "Labelling")
            return found, overview


class Handlers:
    """What the page does on each event.

    Args:
        judge: Answers.
        examples: What each is -> its file.
    """

    def __init__(self, judge: Judge, examples: Mapping[str, Path]) -> None:
        self.judge, self.examples, self.uploads = judge, examples, judge.uploads

    def answer(
        self,
        path: str | None,
        text: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[str, Any]:
        """The answer as HTML, and the button, which waits for another recording."""
        recognizer = self.judge.recognizer
        try:
            found, overview = self.judge(path, text, progress)
            classes = list(recognizer.model.tasks[recognizer.task])
            told = answer_html(found, overview, classes, recognizer.options.coverage)
        except EmorecError as error:
            told = f'<p class="error" role="alert"><b>No answer:</b> {escape(str(error))}</p>'
        return told, gr.Button(interactive=False)

    def predict(self, recording: str | None, text: str) -> list[dict[str, Any]]:
        """The segments, for programs."""
        try:
            return [to_dict(segment) for segment in self.judge(recording, text, lambda *_: None)[0]]
        except EmorecError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def arrived(self, path: str | None, request: gr.Request) -> tuple[Any, str]:
        """The button, usable once there is a recording, and no answer yet."""
        self.uploads.arrived(request.session_hash or "", path)
        return gr.Button(interactive=path is not None), ""

    def left(self, request: gr.Request) -> None:
        """Remove what a visitor who has gone had sent."""
        self.uploads.arrived(request.session_hash or "", None)

    def example(self, name: str) -> str:
        """A copy of an example, since a recording is removed after its answer."""
        own = tempfile.mkdtemp(dir=self.uploads.folder)
        return shutil.copy(self.examples[name], own)


def build_page(judge: Judge, examples: Mapping[str, Path]) -> gr.Blocks:
    """The page, with the endpoint `/predict` for programs.

    Args:
        judge: Answers.
        examples: What each is -> its file.
    """
    route_utils.GradioUploadFile = _OwnFile  # type: ignore[misc]
    processing_utils.async_ssrf_protected_download = _refuse
    handlers, notes = Handlers(judge, examples), judge.recognizer.notes
    page: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        said = "".join(f"<p><b>{escape(note[:1].upper() + note[1:])}.</b></p>" for note in notes)
        gr.HTML(NOTICE.format(notes=said))
        gr.HTML(_intro(judge))
        recording, text, button = _inputs(handlers)
        told = gr.HTML(elem_id="answer", min_height=96)
        recording.change(
            handlers.arrived,
            recording,
            [button, told],
            api_visibility="private",
            concurrency_limit=None,
            show_progress="hidden",
        )
        one_at_a_time: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": MODEL}
        button.click(
            handlers.answer,
            [recording, text],
            [told, button],
            api_visibility="private",
            show_progress_on=told,
            **one_at_a_time,
        )
        answered = gr.JSON(label="segments", visible=False)
        gr.Button(visible=False).click(
            handlers.predict, [recording, text], answered, api_name="predict", **one_at_a_time
        )
        page.unload(handlers.left)
    page.has_launched = True  # else Gradio takes any file of this machine for an upload, where it is mounted
    page.queue(max_size=WAITING)
    return page


def _inputs(handlers: Handlers) -> tuple[gr.Audio, gr.Textbox, gr.Button]:
    """The recording, with buttons that fill in an example, what is said in it, and the button that asks."""
    recording = gr.Audio(
        label="Recording",
        sources=["upload", "microphone"],
        type="filepath",
        buttons=[],
        elem_id="recording",
    )
    gr.HTML("<p>Or try a generated voice:</p>", elem_classes="hint")
    with gr.Row(elem_classes="examples"):
        for name in handlers.examples:
            gr.Button(name, size="sm").click(
                handlers.example, gr.State(name), recording, api_visibility="private", concurrency_limit=None
            )
    model = handlers.judge.recognizer.model
    text = gr.Textbox(
        "",
        label="What is said (optional)",
        info="Left empty, it is transcribed."
        if model.transcribes
        else "Left empty, the branches that read text are left out.",
        visible=model.reads_text,
        elem_id="text",
    )
    button = gr.Button("Label the recording", variant="primary", interactive=False, elem_id="label")
    return recording, text, button


def _intro(judge: Judge) -> str:
    whole, most = judge.recognizer.options.whole_s, judge.most_s / 60
    return f"""<div class="intro"><h1>{TITLE}</h1>
<p>Up to {whole:g} s are judged as a whole, longer recordings (up to {most:g} minutes) piece by piece over their
speech. A recording is removed after its answer.</p></div>"""


def theme() -> gr.themes.Base:
    """System fonts, and text that stands out from its ground by 4.5:1 at least."""
    fonts = ["system-ui", "sans-serif"]
    made = gr.themes.Default(
        primary_hue="indigo", neutral_hue="zinc", font=fonts, font_mono=["ui-monospace", "monospace"]
    )
    subdued = {"light": "*neutral_600", "dark": "*neutral_300"}
    return made.set(
        body_text_color_subdued=subdued["light"],
        body_text_color_subdued_dark=subdued["dark"],
        block_label_text_color=subdued["light"],
        block_label_text_color_dark=subdued["dark"],
        block_info_text_color=subdued["light"],
        block_info_text_color_dark=subdued["dark"],
        block_title_text_color="*body_text_color",
        input_placeholder_color=subdued["light"],
        input_placeholder_color_dark=subdued["dark"],
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )
