"""One of several processes that train together; torchrun runs `python -m wakee_train.training.worker SCRATCH`."""

import logging
import os
import sys
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing.errors import record
from wakee_common.logs import configure_logging
from wakee_common.settings import R2Settings, load
from wakee_common.storage import ObjectStore

from wakee_train.training.launching import JOB
from wakee_train.training.process_group import joined
from wakee_train.training.session import Job, train


@record
def main() -> None:
    """Train. `record` writes an error to the file that torchrun reads, for the stage."""
    configure_logging()
    if os.environ["RANK"] != "0":
        logging.getLogger().setLevel(logging.ERROR)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // int(os.environ["WORLD_SIZE"])))
    scratch = Path(sys.argv[1])
    job = Job.model_validate_json((scratch / JOB).read_text())
    with joined() as (processes, device):
        train(job, ObjectStore(load(R2Settings)), scratch, device, processes)


if __name__ == "__main__":
    main()
