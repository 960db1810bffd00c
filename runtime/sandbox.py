"""The workflow sandbox: what workflow code shares with the process instead of importing anew."""

from collections.abc import Sequence
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext, StorageDriverWorkflowInfo
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import Info


def workflow_runner(*, strict: bool = False) -> WorkflowRunner:
    """The SDK's sandbox. Contracts are plain data without state or I/O, so all workflows share one import.

    strict: each workflow imports its own code too, through the sandbox, which then sees every forbidden
    call in it. That takes 8 ms of a core for each new conversation, so it is how every recorded history
    replays in each build, and a worker runs the code that has passed it.
    """
    shared = ("contracts",) if strict else ("contracts", "workflows")
    return _Runner(SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*shared)))


class _Runner(WorkflowRunner):
    """Answers for the sandbox what needs no entering of it.

    The SDK asks for the contexts of every payload, some times an activation, and the sandbox compiles
    a line of code for each answer: a quarter of a worker's processor time in a turn (temporalio
    1.35.0). Our converter is the same in every context, and nothing is stored outside of Temporal.
    """

    def __init__(self, sandbox: SandboxedWorkflowRunner) -> None:
        self._sandbox = sandbox

    def prepare_workflow(self, defn: Any) -> None:
        self._sandbox.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Instance(self._sandbox.create_instance(det))

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self._sandbox.set_worker_level_failure_exception_types(types)


class _Instance(WorkflowInstance):
    def __init__(self, sandboxed: WorkflowInstance) -> None:
        self._sandboxed = sandboxed
        info = sandboxed.get_info()
        self._place = StorageDriverStoreContext(
            target=StorageDriverWorkflowInfo(
                id=info.workflow_id, run_id=info.run_id, type=info.workflow_type, namespace=info.namespace
            )
        )

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._sandboxed.activate(act)

    def get_serialization_context(self, command_info: Any) -> None:
        """None: the converter without a context."""

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._place

    def get_info(self) -> Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()
