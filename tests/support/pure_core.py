"""An import contract: a package is pure but for the adapters that it names.

A new module is core until somebody says otherwise, so that I/O never slips in by a new file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grimp import ImportGraph
    from importlinter.domain.imports import ModuleExpression


class PureCore(Contract):
    """No module of `packages` reaches one of `forbidden`, except the `adapters`.

    `packages` and `adapters` stand for all modules in them; `forbidden` are libraries, by their
    top-level name. A chain through an adapter counts: core that imports an adapter is not core.
    """

    type_name = "pure_core"

    packages = fields.SetField(subfield=fields.ModuleExpressionField())
    adapters = fields.SetField(subfield=fields.ModuleExpressionField(), required=False)
    forbidden = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - the base's signature
        core = self._modules(graph, self.packages) - self._modules(graph, self.adapters)
        libraries = sorted(cast("set[str]", self.forbidden) & graph.modules)
        chains = []
        for module in sorted(core):
            for library in libraries:
                chain = graph.find_shortest_chain(importer=module, imported=library)
                # a longer chain through core is reported at the module that breaks the rule
                if chain is not None and chain[1] not in core:
                    chains.append(chain)
        return ContractCheck(kept=not chains, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain))
        output.print_error(
            "These modules are core, and core does no I/O: take the value as an argument, or move "
            "the I/O into an adapter and name it in pyproject.toml, in the contract's adapters."
        )

    @staticmethod
    def _modules(graph: ImportGraph, expressions: object) -> set[str]:
        named = cast("Iterable[ModuleExpression]", expressions or ())
        roots = {module.name for module in module_expressions_to_modules(graph, named)}
        gone = sorted(roots - graph.modules)
        if gone:
            raise ValueError(f"{', '.join(gone)}: no such module; take it out of the contract")
        descendants = (graph.find_descendants(root) for root in roots)
        return roots.union(*descendants)
