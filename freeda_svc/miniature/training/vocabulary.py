"""The word tokenizer that both text encoders of the miniature pack share."""

import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from freeda_svc.encoders import TEMPLATES, fill
from freeda_svc.miniature.training.plans import SMALL_PLAN, TrainingPlan
from freeda_svc.miniature.training.pool import TRAINING_SPLIT, paint_pool
from freeda_svc.whole_files import write_whole

START, END = "<|startoftext|>", "<|endoftext|>"
VOCABULARY_FILE = "vocab.json"
"""Is written last: where it is, the tokenizer is whole."""


def train(folder: Path, plan: TrainingPlan = SMALL_PLAN) -> CLIPTokenizer:
    """Learn byte pairs until every word that captions use is one token; write ``vocab.json``, ``merges.txt``.

    Other words fall apart into bytes, so any text can be tokenized. The end token has the highest number, as
    open_clip's text tower expects.
    """
    world = plan.world
    painted = paint_pool(world.easy, plan.captions, split=TRAINING_SPLIT, stream=5, world=world, reader="image_text")
    words = dict.fromkeys(word.text for word in world.vocabulary("image_text"))
    sentences = [*painted.captions, *(fill(template, word).lower() for template in TEMPLATES for word in words)]
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    endings = [f"{letter}</w>" for letter in alphabet]
    # given their numbers before training (in one order, whichever), or chance would decide ties between pairs
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=1,
        initial_alphabet=alphabet,
        special_tokens=endings[::-1],
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(sentences, trainer)
    state = json.loads(learner.to_str())["model"]
    learned = sorted(state["vocab"], key=state["vocab"].__getitem__)
    pieces = [*alphabet, *endings, *(piece for piece in learned if piece not in {*alphabet, *endings})]
    vocabulary = {piece: number for number, piece in enumerate([*pieces, START, END])}
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in state["merges"]]
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": plan.context_length}
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "tokenizer_config.json", json.dumps({**settings, **special}, indent=2).encode())
    write_whole(folder / "merges.txt", "\n".join(["#version: 0.2", *merges, ""]).encode())
    write_whole(folder / VOCABULARY_FILE, json.dumps(vocabulary, ensure_ascii=False).encode())
    return CLIPTokenizer.from_pretrained(folder)
