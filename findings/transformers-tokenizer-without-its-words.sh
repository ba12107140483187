#!/usr/bin/env bash
# transformers 5 makes a tokenizer without words, and no error, where the file with its words is missing.
#
# Versions: transformers 5.23.0, tokenizers 0.23.3, Python 3.11.
# Guess before running: a folder with tokenizer_config.json alone, as a download that was filtered too narrowly leaves it, cannot be
#   loaded; transformers 4 said that the vocabulary file is missing. Or at least the tokenizer complains about words it does not know.
# Seen: AutoTokenizer.from_pretrained gives CLIP's, Gemma's (SigLIP 2), T5's, Qwen's, BERT's and Llama's tokenizer with special tokens
#   alone. Every text becomes unknown tokens, or none at all: two captions of as many letters are the same, and a text encoder embeds
#   them alike. Only the class that has no family, PreTrainedTokenizerFast, raises.
# Fails when one of them raises, or knows words.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3

cat > show.py <<'PYTHON'
import json
from pathlib import Path

from transformers import AutoTokenizer

for name in ("CLIP", "Gemma", "T5", "Qwen2", "Bert", "Llama", "PreTrained"):
    folder = Path(name)
    folder.mkdir()
    kind = f"{name}Tokenizer" if name != "PreTrained" else "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}))
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
    except ValueError:
        print(name, "raises")
        continue
    same = tokenizer("a red ball").input_ids == tokenizer("a new boat").input_ids
    print(name, len(tokenizer), "same" if same else "different")
PYTHON
venv/bin/python show.py 2>/dev/null | grep -E 'raises|same|different' | tee seen
printf '%s\n' "CLIP 2 same" "Gemma 5 same" "T5 104 same" "Qwen2 1 same" "Bert 5 same" "Llama 3 same" "PreTrained raises" > expected
cmp seen expected
