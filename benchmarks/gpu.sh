#!/usr/bin/env bash
# What a GPU gives, within 8 minutes: clips a second of the audio CNN and of Whisper's states in fp32 and bf16, how busy
# the GPU is, two epochs of `fit` against the CPU, and whether a deterministic `fit` repeats itself.
#
#     bash benchmarks/gpu.sh
#     DEVICE=cpu CLIPS=32 BATCH=4 benchmarks/gpu.sh    # a rehearsal without a GPU
#
# Settings, by environment: DEVICE cuda or cpu, CLIPS of the corpus, BATCH, PYTHON, OUT for the folder of the results.
# Whisper's weights are those of EMOREC_WHISPER; without it that part is left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
device=${DEVICE:-cuda} clips=${CLIPS:-384} batch=${BATCH:-64} python=${PYTHON:-.venv/bin/python}
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
export PYTHONPATH=$PWD EMOREC_CACHE=$out/cache
accelerator=$([ "$device" = cpu ] && echo cpu || echo gpu)

if [ "$device" = cuda ]; then
	nvidia-smi --query-gpu=timestamp,utilization.gpu,memory.used --format=csv,noheader,nounits -lms 200 >"$out/busy.csv" &
	sampler=$!
	trap 'kill "$sampler" 2>/dev/null || true' EXIT
fi

stage() { # name, command...: its wall time, and how busy the GPU was
	local name=$1 begun rows=0
	shift
	[ -f "$out/busy.csv" ] && rows=$(wc -l <"$out/busy.csv")
	begun=$EPOCHREALTIME
	"$@" >"$out/$name.log" 2>&1 || { echo "$name failed" && tail -5 "$out/$name.log" && return 0; } # others may do
	awk -v name="$name" -v from="$begun" -v to="$EPOCHREALTIME" 'BEGIN { printf "%s: %.1f s\n", name, to - from }'
	grep '^|' "$out/$name.log" || true
	[ -f "$out/busy.csv" ] || return 0
	tail -n "+$((rows + 1))" "$out/busy.csv" |
		awk -F, '{ busy += $2; if ($3 > most) most = $3 } END { if (NR) printf "  GPU busy %.0f %%, %d MB\n", busy / NR, most }'
}

fit() { # name, accelerator, epochs, further options...
	local name=$1 on=$2 epochs=$3
	shift 3
	"$python" -m lightning_emorec fit --config configs/branch/audio_cnn.yaml --name "$name" --runs "$out/runs" \
		--data.corpus configs/corpus/synthetic.yaml --data.corpus.root "$out/data" \
		--data.corpus.actors "$(((clips + 31) / 32 > 6 ? (clips + 31) / 32 : 6))" \
		--data.split.class_path KFold --data.split.init_args '{folds: 3, fold: 0, val_actors: 2}' \
		--data.batch_size "$batch" --trainer.max_epochs "$epochs" --trainer.accelerator "$on" --trainer.devices 1 "$@"
}

rates() { # clips a second of steps, of judging and of Whisper's encoder, in fp32 and bf16
	"$python" - "$device" "$batch" <<'PYTHON'
import os, sys, time

import torch

from lightning_emorec.branches import AudioCnn
from lightning_emorec.types import Batch

device, batch = torch.device(sys.argv[1]), int(sys.argv[2])
RATE_HZ, SECONDS, TURNS = 16000, 3, 10 if device.type == "cuda" else 2


def clips_a_second(work):
    work()  # what the first call chooses and allocates
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    begun = time.perf_counter()
    for _ in range(TURNS):
        work()
    wait()
    return f"{TURNS * batch / (time.perf_counter() - begun):.0f}"


audio = 0.1 * torch.randn(batch, SECONDS * RATE_HZ, device=device)
lengths = torch.full((batch,), audio.shape[1], device=device)
labels = {"emotion": torch.randint(8, (batch,), device=device)}
index = torch.arange(batch, device=device)
clips = Batch([str(row) for row in range(batch)], index, audio, lengths, labels, {})
model = AudioCnn({"emotion": [str(one) for one in range(8)]}).to(device)
optimizer = torch.optim.AdamW(model.parameters())


def step():
    model.training_loss(clips).backward()
    optimizer.step()
    optimizer.zero_grad()


@torch.inference_mode()
def judge():
    model.net(audio, lengths)


work = {"steps of the CNN": (model.train, step), "judging by the CNN": (model.eval, judge)}
if weights := os.environ.get("EMOREC_WHISPER"):
    import whisper

    encoder = whisper.load_model(weights, device=device).encoder
    mels = torch.randn(batch, encoder.conv1.in_channels, 100 * SECONDS, device=device)
    encoder.positional_embedding = encoder.positional_embedding[: mels.shape[2] // 2]

    @torch.inference_mode()
    def encode():
        encoder(mels)

    work["Whisper's encoder"] = (encoder.eval, encode)
print("| clips a second | fp32 | bf16 |\n|---|---:|---:|")
for name, (prepare, run) in work.items():
    prepare()
    found = []
    for bf16 in (False, True):
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            found.append(clips_a_second(run))
    print(f"| {name} | {' | '.join(found)} |")
PYTHON
}

same() { # whether two runs have the same weights
	"$python" - "$out/runs/$1" "$out/runs/$2" <<'PYTHON'
import sys
from pathlib import Path

import torch

one, two = (
    torch.load(next(Path(run).rglob("last.ckpt")), weights_only=True, map_location="cpu")["state_dict"]
    for run in sys.argv[1:]
)
apart = [name for name in one if not torch.equal(one[name], two[name])]
print(f"| {len(apart)} of {len(one)} tensors differ |")
PYTHON
}

stage corpus fit decoded cpu 1 --trainer.limit_train_batches 1 # generates and decodes
stage rates rates
stage two-epochs fit two "$accelerator" 2
if [ "$device" = cuda ]; then
	stage two-epochs-cpu fit two-cpu cpu 2
	stage two-epochs-bf16 fit two-bf16 gpu 2 --trainer.precision bf16-mixed
fi
stage deterministic fit first "$accelerator" 2 --trainer.deterministic true
stage deterministic-again fit second "$accelerator" 2 --trainer.deterministic true
stage the-same same first second
echo "results in $out"
