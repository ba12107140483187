#!/usr/bin/env bash
# torch's fused attention is slower backwards in bfloat16 than in float32 on processors that multiply in bfloat16.
#
# Versions: torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, x86-64 with AVX-512 BF16 or AMX.
# Guess before running: where the processor has instructions for bfloat16, autocast makes every large operation of a
#   training quicker, and the fused attention is quicker than its two products written out.
# Seen: backwards, the fused attention for CPUs takes three times as long in bfloat16 as in float32, and more than three times as
#   long as the two products written out in bfloat16 (batch 16, 4 heads, 256 tokens of 16 values: about 38, 12 and 12 ms
#   with AMX). A diffusion model that is trained on a processor under autocast gets no quicker, until its attention is written
#   out; then a step takes three fifths of the time.
# Fails when the fused attention in bfloat16 takes less than 1.3 of either. Passes without a comparison where the
#   processor has no such instructions.
set -euo pipefail
if ! grep -qwE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then
    echo "this processor does not multiply in bfloat16: not compared"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat > attention.py <<'PYTHON'
import time

import torch
from torch.nn.functional import scaled_dot_product_attention

torch.set_num_threads(1)


def fused(query, key, value):
    return scaled_dot_product_attention(query, key, value)


def written_out(query, key, value):
    return (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1) @ value


def backwards(attention, dtype):
    query, key, value = (torch.randn(16, 4, 256, 16, dtype=dtype, requires_grad=True) for _ in range(3))
    took = []
    for _ in range(8):
        loss = attention(query, key, value).float().square().sum()
        begun = time.perf_counter()
        loss.backward()
        took.append(time.perf_counter() - begun)
    return min(took)


half = backwards(fused, torch.bfloat16)
whole = backwards(fused, torch.float32)
plain = backwards(written_out, torch.bfloat16)
print(f"fused: {1e3 * half:.0f} ms in bfloat16, {1e3 * whole:.0f} ms in float32; written out in bfloat16: {1e3 * plain:.0f} ms")
raise SystemExit(half < 1.3 * whole or half < 1.3 * plain)
PYTHON
venv/bin/python attention.py
