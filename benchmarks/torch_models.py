"""The peer of `benchmarks/models.py`: the same workloads in PyTorch with Hugging Face's models; see workloads.serve.

Run by models.py, in an interpreter that has torch and transformers. Random weights, attention by sdpa, no autocast:
on an accelerator the models are bfloat16, with float32 AdamW states no more than torch makes of them.
"""

from __future__ import annotations

# pyright: basic, reportMissingImports=false, reportArgumentType=false
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from transformers import CLIPConfig, CLIPModel, GPT2Config, GPT2LMHeadModel
from workloads import (
    BASES,
    FRAMES,
    HEADS,
    IMAGE,
    LAYERS,
    PREFIX,
    READ,
    SEEN,
    TEXT,
    TEXT_VOCAB,
    VISION,
    VOCAB,
    WIDTH,
    WORDS,
    serve,
)

DEVICE = "cuda" if sys.argv[1] == "gpu" else "cpu"
DTYPE = torch.bfloat16 if DEVICE == "cuda" else torch.float32
END = TEXT_VOCAB - 1
SIZE, TIMES = (8192, 10) if DEVICE == "cuda" else (2048, 2)
SQUARE = torch.randn(SIZE, SIZE, device=DEVICE, dtype=DTYPE)


def clip(model: str) -> CLIPModel:
    seen, read = VISION[model], TEXT[model]
    vision = {"hidden_size": seen["width"], "intermediate_size": 4 * seen["width"], "patch_size": seen["patch"]}
    vision |= {"num_hidden_layers": seen["layers"], "num_attention_heads": seen["heads"], "image_size": IMAGE}
    text = {"hidden_size": read["width"], "intermediate_size": 4 * read["width"], "vocab_size": TEXT_VOCAB}
    text |= {"num_hidden_layers": read["layers"], "num_attention_heads": read["heads"], "eos_token_id": END}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=seen["projection"])
    return CLIPModel(config).to(DEVICE)


def gpt2() -> GPT2LMHeadModel:
    config = GPT2Config(vocab_size=VOCAB, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, embd_pdrop=0.0)
    config.resid_pdrop = config.attn_pdrop = 0.0
    return GPT2LMHeadModel(config).to(DEVICE)


def encode(sizes: dict[str, Any]) -> Callable[[], Any]:
    model = clip(sizes["model"]).to(DTYPE).eval()
    pixels = torch.randn(sizes["batch"], 3, IMAGE, IMAGE, device=DEVICE, dtype=DTYPE)

    @torch.no_grad()
    def run() -> Any:
        return model.visual_projection(model.vision_model(pixels).pooler_output)

    return run


def matching(frames: torch.Tensor, words: torch.Tensor, sentence: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """InfoNCE of clips and sentences, and of frames and words (see losses/matching.py)."""
    frames, words = F.normalize(frames.float(), dim=-1), F.normalize(words.float(), dim=-1)
    batch = frames.shape[0]
    video, sentence = F.normalize(frames.sum(1), dim=-1), F.normalize(sentence.float(), dim=-1)
    logits, own = video @ sentence.T / 0.07, torch.arange(batch, device=frames.device)
    clip_sentence = 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own))
    cosines = torch.einsum("btp,cjp->btcj", frames, words)
    shares = torch.softmax((cosines / 0.1).masked_fill(~real, -1e30), dim=-1)
    mixed = torch.einsum("btcj,cjp->btcp", shares, words)
    scores = torch.einsum("btp,btcp->btc", frames, F.normalize(mixed, dim=-1)) / 0.07
    eye = torch.eye(batch, dtype=torch.bool, device=frames.device)
    positive = torch.logsumexp(scores[own, :, own], dim=-1)
    rows = scores.masked_fill(eye[:, None, :], -1e30).reshape(batch, -1)
    columns = scores.masked_fill(eye[:, None, :], -1e30).permute(2, 0, 1).reshape(batch, -1)
    negative = torch.logsumexp(torch.cat([rows, columns], dim=1), dim=-1)
    return clip_sentence + F.softplus(negative - positive).mean()


def stage1(sizes: dict[str, Any]) -> Callable[[], Any]:
    model, clips = clip(sizes["model"]), sizes["clips"]
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    learned = [*model.vision_model.parameters(), *model.visual_projection.parameters()]
    for parameter in learned:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(learned, lr=1e-5, fused=DEVICE == "cuda")
    pixels = torch.randn(clips * FRAMES, 3, IMAGE, IMAGE, device=DEVICE)
    ids = torch.randint(1, END - 1, (clips, READ), device=DEVICE)
    ids[:, READ // 2 :] = END
    real = (ids != END) & (torch.arange(READ, device=DEVICE) > 0)

    def run() -> Any:
        with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
            with torch.no_grad():
                read = model.text_model(ids)
                words = model.text_projection(read.last_hidden_state)
                sentence = model.text_projection(read.pooler_output)
            frames = model.visual_projection(model.vision_model(pixels).pooler_output).reshape(clips, FRAMES, -1)
        loss = matching(frames, words, sentence, real)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss

    return run


def stage2(sizes: dict[str, Any]) -> Callable[[], Any]:
    model, captions = gpt2().train(), sizes["captions"]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=DEVICE == "cuda")
    prefix = torch.randn(captions, PREFIX, WIDTH, device=DEVICE)
    ids = torch.randint(0, VOCAB, (captions, WORDS), device=DEVICE)

    def run() -> Any:
        with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
            read = torch.cat([prefix, model.transformer.wte(ids)], dim=1)
            logits = model(inputs_embeds=read).logits
        loss = F.cross_entropy(logits[:, PREFIX - 1 : -1].float().reshape(-1, VOCAB), ids.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss

    return run


def decode(sizes: dict[str, Any]) -> Callable[[], Any]:
    model = gpt2().to(DTYPE).eval()
    model.generation_config.eos_token_id = None
    prefix = torch.randn(sizes["captions"], PREFIX, WIDTH, device=DEVICE, dtype=DTYPE)
    real = torch.ones(sizes["captions"], PREFIX, dtype=torch.long, device=DEVICE)

    @torch.no_grad()
    def run() -> Any:
        return model.generate(
            inputs_embeds=prefix,
            attention_mask=real,
            do_sample=False,
            num_beams=sizes["beams"],
            max_new_tokens=WORDS,
            min_new_tokens=WORDS,
            pad_token_id=0,
        )

    return run


def em(sizes: dict[str, Any]) -> Callable[[], Any]:
    tokens = torch.randn(sizes["batch"], SEEN, WIDTH, device=DEVICE, requires_grad=sizes["gradient"])
    first = torch.randn(BASES, WIDTH, device=DEVICE, requires_grad=sizes["gradient"])

    def rebuilt() -> torch.Tensor:
        bases = F.normalize(first, dim=-1).expand(sizes["batch"], BASES, WIDTH)
        shares = tokens
        for _ in range(sizes["rounds"]):
            shares = torch.softmax(tokens @ bases.mT, dim=-1)
            weights = shares / (1e-6 + shares.sum(dim=1, keepdim=True))
            bases = F.normalize(weights.mT @ tokens, dim=-1)
        return shares @ bases

    def run() -> Any:
        if not sizes["gradient"]:
            with torch.no_grad():
                return rebuilt()
        tokens.grad = first.grad = None
        rebuilt().square().sum().backward()
        return None

    return run


def prepare(kind: str, sizes: dict[str, Any]) -> Callable[[], Any]:
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    made = {"encode": encode, "stage1": stage1, "stage2": stage2, "em": em}.get(kind, decode)(sizes)

    def run() -> None:
        made()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    for _ in range(2 if DEVICE == "cuda" else 0):  # the first runs choose kernels
        run()
    return run


def matmul() -> float:
    for _ in range(TIMES):
        product = SQUARE @ SQUARE
    float(product[0, 0])
    return TIMES * 2 * SIZE**3


if __name__ == "__main__":
    torch.manual_seed(0)
    if DEVICE == "cpu":
        torch.set_num_threads(1)
    else:
        torch.backends.cuda.matmul.allow_tf32 = True
        matmul()
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    serve(prepare, matmul, {"device": device, **versions})
