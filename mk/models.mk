# SPDX-License-Identifier: MIT
# Models of the parts without locks, searched by SPIN: test/models/<x>.pml.

LONG_TESTS += test/models/models_long.py

.PHONY: models
test-long models: | build/packages/models
models: ## SPIN over the parts without locks, and over variants that it must find
	$(call run_tests,test/models/models_long.py)
