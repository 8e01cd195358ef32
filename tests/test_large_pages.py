"""The program starts itself once more for large pages, once, and keeps what its user has set."""

import os
import subprocess
import sys

import pytest
from places import REPOSITORY

CODE = """
import os, sys
from distinctad_jax.main import ask_for_large_pages
ask_for_large_pages()
print(os.getpid(), os.environ["GLIBC_TUNABLES"], sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="large pages are asked for on Linux")
@pytest.mark.parametrize(("given", "kept"), [(None, "glibc.malloc.hugetlb=1"), ("glibc.malloc.check=0",) * 2])
def test_the_same_process_goes_on_with_the_same_arguments(given, kept):
    around = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    around |= {} if given is None else {"GLIBC_TUNABLES": given}
    started = subprocess.Popen(
        [sys.executable, "-c", CODE, "--a=b c"], env=around, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert started.communicate(timeout=60)[0].split(maxsplit=2) == [str(started.pid), kept, "['--a=b c']\n"]
