"""The degradations of the suite, with the thresholds of their tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from lightning_emorec.commands.stress import changes, synthesis
from lightning_emorec.commands.stress.degradations import DEGRADATIONS, Degradation
from lightning_emorec.commands.stress.distortions import add_some_voices, add_white_noise

CLEAN = "clean"


@dataclass(frozen=True)
class SuiteCondition:
    """A degradation at one severity, and what the predictions are held to.

    Attributes:
        name: Name on the command line and in files.
        degradation: What is done to a clip.
        severity: Its severity.
        group: Group of its tests.
        unchanged: Least share of predictions that stay the same; None without such a test.
        uar: Least change of UAR; None without such a test.
        against: The condition that the predictions are compared with.
        made: Where the added sound comes from, if it is not a property of the clip.
    """

    name: str
    degradation: Degradation
    severity: float
    group: str
    unchanged: float | None = None
    uar: float | None = None
    against: str = CLEAN
    made: str = ""

    @property
    def place(self) -> str:
        """Subfolder of the cached logits."""
        return f"{self.degradation.name}/{self.severity:g}"

    @property
    def title(self) -> str:
        """Title with the severity, as in `White noise, 20 dB SNR`."""
        of = self.degradation
        return f"{of.title}, {self.severity:g} {of.unit}" if of.unit else of.title


NOISE, PHONE, ROOM = "background noise", "low-quality phone", "simulated rooms and positions"
SMALL, TILT, LENGTH = "small changes", "spectral tilt", "length of speech"

SYNTHETIC = "synthesised"
SECONDS = (3.0, 2.0, 1.0, 0.5)
"""Speech that is left in the group `length of speech`, which has no thresholds."""

CONDITIONS: dict[str, SuiteCondition] = {
    made.name: made
    for made in (
        *(
            SuiteCondition(
                f"noise_{name}",
                Degradation(f"suite-{name}", title, "dB SNR", (snr_db,), add),
                snr_db,
                NOISE,
                unchanged=0.9,
                uar=-0.05,
                made=source,
            )
            for name, title, snr_db, add, source in (
                ("babble", "Four to seven other voices", 20.0, add_some_voices, "clips of training actors"),
                ("coughing", "Coughing", 10.0, synthesis.add_coughing, SYNTHETIC),
                ("environment", "Environment", 20.0, synthesis.add_environment, SYNTHETIC),
                ("music", "Music", 20.0, synthesis.add_music, SYNTHETIC),
                ("sneezing", "Sneezing", 10.0, synthesis.add_sneezing, SYNTHETIC),
                ("white", "White noise", 20.0, add_white_noise, SYNTHETIC),
            )
        ),
        *(
            SuiteCondition(
                f"phone_{name}",
                Degradation(f"suite-phone-{name}", title, "kHz", (8.0,), apply),
                8.0,
                PHONE,
                unchanged=0.5,
                uar=-0.05,
                made="codec of libsndfile in place of AMR-NB, synthesised noise",
            )
            for name, title, apply in (
                ("gsm", "Compressor, GSM 6.10, pink noise", partial(changes.by_cheap_phone, "GSM610")),
                ("g711", "Compressor, G.711 mu-law, pink noise", partial(changes.by_cheap_phone, "ULAW")),
            )
        ),
        SuiteCondition(
            "room_base",
            Degradation("suite-room", "Base room", "s RT60", (0.3,), changes.in_room),
            0.3,
            ROOM,
            made=SYNTHETIC,
        ),
        *(
            SuiteCondition(
                name,
                Degradation(f"suite-{name.replace('_', '-')}", title, "s RT60", (rt60_s,), apply),
                rt60_s,
                ROOM,
                unchanged=0.8,
                against="room_base",
                made=SYNTHETIC,
            )
            for name, title, rt60_s, apply in (
                ("room_livelier", "Livelier room", 0.6, changes.in_room),
                ("room_hall", "Hall", 1.0, changes.in_room),
                ("position_near", "Base room, nearer", 0.3, partial(changes.in_room, tail_db=-6.0)),
                ("position_far", "Base room, farther", 0.3, partial(changes.in_room, tail_db=6.0)),
            )
        ),
        *(
            SuiteCondition(
                name,
                Degradation(f"suite-{name.replace('_', '-')}", title, "", (1.0,), apply),
                1.0,
                SMALL,
                0.95,
            )
            for name, title, apply in (
                ("tone", "Tone of 5-7 kHz, 40-50 dB SNR", changes.add_tone),
                ("zeros_before", "100-1,000 zeros before", changes.zeros_before),
                ("zeros_after", "100-1,000 zeros after", changes.zeros_after),
                ("crop_start", "100-1,000 samples cut at the start", changes.crop_start),
                ("crop_end", "100-1,000 samples cut at the end", changes.crop_end),
                ("clip_few", ".1-.3 % of the samples clipped", changes.clip_few),
                ("gain", "Gain of 1 or 2 dB, up or down", changes.change_gain),
                ("high_pass", "High-pass filter, 50-150 Hz", changes.high_pass),
                ("low_pass", "Low-pass filter, 6.5-7.5 kHz", changes.low_pass),
                ("faint_noise", "White noise, 35-45 dB SNR", changes.add_faint_noise),
            )
        ),
        *(
            SuiteCondition(
                f"tilt_{name}",
                Degradation("suite-tilt", title, "", (-1.0, 1.0), changes.tilt),
                direction,
                TILT,
                unchanged=0.8,
                uar=-0.02,
            )
            for name, title, direction in (
                ("up", "Spectrum raised by 3 dB an octave", 1.0),
                ("down", "Spectrum lowered by 3 dB an octave", -1.0),
            )
        ),
        # The degradation of `stress`, so that its cached logits serve both.
        *(
            SuiteCondition(f"speech_{seconds:g}s", DEGRADATIONS["truncation"], seconds, LENGTH)
            for seconds in SECONDS
        ),
    )
}

NOT_RUN: dict[str, str] = {
    "fairness by accent": "speakers of several accents, as in the Speech Accent Archive",
    "fairness by language": "speech of several languages with the same labels, as EMO-DB, EMOVO and CaFE together",
    "recording devices": "the same utterances by several devices, as in the read part of IMDA's National Speech Corpus",
    "sentiment of the words": "one voice that reads texts of every sentiment without expression, as CheckList's texts "
    "from a speech synthesiser",
    "recorded coughs, sneezes, music and environments": "AudioSet, ESC-50 or MUSAN; here they are synthesised",
    "recorded impulse responses": "OpenAIR or RIRS_NOISES; here they are synthesised",
    "AMR-NB at 7.4 kbit/s": "ffmpeg with libopencore-amrnb; here GSM 6.10 and G.711 take its place",
}
"""What ser-tests does and this suite does not -> what would run it."""
"""Tests of ser-tests that no condition here replaces in full -> what they need."""
