"""Settings of what is outside of the site: who may show boards in a frame, whose data set it is."""

from __future__ import annotations

import pytest

from medvid.models.site import SiteLinks
from services.gateway.web.site import Site, check_ancestors


@pytest.mark.parametrize(
    "text",
    ["", "*", "'self'", "https://lab.example", "http://localhost:8080 https://*.uni.example:*"],
)
def test_sites_that_may_show_a_frame(text: str) -> None:
    assert check_ancestors(f" {text}  ") == text


@pytest.mark.parametrize(
    "text",
    [
        "lab.example", "https://lab.example/page", "https://a; script-src *", "https://a,https://b",
        "https:", "data:", "javascript:1", "'none'", "'unsafe-inline'", "https://*",
        "https://a\r\nX: y/", "https://b\u00fccher.example", "https://.example", "https://a:port",
    ],
)  # fmt: skip
def test_what_is_no_site_is_refused(text: str) -> None:
    """Above all what a header cannot say, or would end the directive."""
    with pytest.raises(ValueError, match="names no sites"):
        check_ancestors(text)


@pytest.mark.parametrize(
    ("address", "dataset"),
    [
        ("https://huggingface.co/datasets/lab/bench", "lab/bench"),
        ("https://huggingface.co/datasets/lab/bench/", "lab/bench"),
        ("https://huggingface.co/datasets/lab/bench/tree/main", None),
        ("https://huggingface.co/datasets/lab\u00e9/bench", None),
        ("https://huggingface.co.evil.example/datasets/lab/bench", None),
        (None, None),
    ],
)
def test_the_data_set_on_the_hub(address: str | None, dataset: str | None) -> None:
    assert Site.of(None, SiteLinks(data=address)).hub_dataset == dataset
