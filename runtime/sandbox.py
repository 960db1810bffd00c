"""The workflow sandbox: what workflow code shares with the process instead of importing anew."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions


def workflow_runner() -> SandboxedWorkflowRunner:
    """Contracts are plain data without state or I/O, so every workflow may share one import of them."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("contracts"))
