"""The dataset card of a records folder: what is in it, for a person who finds it in a year."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distinctad_jax.data.builder import NAME, VARIANTS, VERSION, clip_features
from distinctad_jax.data.ledger import Ledger, Variant
from distinctad_jax.files import write_text


def write_card(folder: Path, variant: Variant, ledger: Ledger, description: str, metadata: Mapping[str, Any]) -> None:
    """Writes `README.md` with the splits, the fields, how the records were made, and how to open them."""
    splits = [
        f"| {split} | {len(movies)} | {sum(len(movie['clips']) for movie in movies)} | {_hours(movies):.2f} |"
        for split, movies in ledger.splits.items()
    ]
    fields = [f"- `{name}`: `{_kind(feature)}`" for name, feature in clip_features(variant).items()]
    made = json.dumps(dict(metadata), indent=2, sort_keys=True, ensure_ascii=False)
    text = f"""# {NAME}/{variant} {VERSION}

{description}. {VARIANTS[variant]}, one record per clip; the clips of a movie stand together and in time order, and no
movie is in two splits unless the splits say so.

| split | movies | clips | hours described |
|---|---:|---:|---:|
{chr(10).join(splits)}

## Fields

{chr(10).join(fields)}

Times are whole milliseconds from the first frame of the movie. `cast` and `seen` are roles: all of them, and those
that were found in the clip's pictures.

## Made with

```json
{made}
```

## Opening

```python
import tensorflow_datasets as tfds
builder = tfds.builder("{NAME}/{variant}", data_dir=folder)  # or tfds.builder_from_directory(folder/...)
clips = builder.as_data_source(split="{next(iter(ledger.splits))}")
first, stop = builder.info.metadata["movies"]["SPLIT"]["MOVIE"]  # rows of a movie
```

Descriptions, pictures and features belong to their owners; this folder may be passed on only where their terms allow.
"""
    write_text(folder / "README.md", text)


def _hours(movies: list[dict[str, Any]]) -> float:
    return sum(clip[2] - clip[1] for movie in movies for clip in movie["clips"]) / 3_600_000


def _kind(feature: Any) -> str:
    return " ".join(repr(feature).split())
