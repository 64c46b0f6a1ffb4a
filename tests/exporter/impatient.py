"""log-exporter with less patience, so that tests of what it does about silence take no minutes."""

import sys

from log_exporter.call import Timing
from log_exporter.main import main

sys.exit(
    main(timing=Timing(greeting=1.5, silence=1.5, last_words=1.5, first_retry=0.02, longest_retry=0.2, refused=0.5))
)
