.PHONY: ci
ci:
	python3 -m venv .uv && .uv/bin/pip install -q uv && .uv/bin/uv sync -q && .venv/bin/pytest -q
