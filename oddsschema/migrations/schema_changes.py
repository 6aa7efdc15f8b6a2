"""The steps from the actual tables to those of a project's models, by the parts of both.

The upgrade is as a reviewer would write it for tables in use: no statement reads rows while it
keeps readers or writers away, except where PostgreSQL has no other way (an exclusion constraint, a
type that needs a rewrite). The downgrade is short: it validates at once.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alembic.operations import MigrateOperation
from alembic.util import warn

from oddsschema.migrations import repair
from oddsschema.migrations.catalog import TABLES, Kind, Part, Parts
from oddsschema.migrations.comparison import find_renamed_parts
from oddsschema.migrations.concurrent_indexes import (
    CreateIndexConcurrently,
    DropIndexConcurrently,
    ReplaceIndexConcurrently,
    interim_name,
)
from oddsschema.migrations.steps import Change, Phase, Step
from oddsschema.migrations.widening import widening

_CONSTRAINTS = {Kind.PRIMARY_KEY, Kind.UNIQUE, Kind.EXCLUSION, Kind.CHECK, Kind.FOREIGN_KEY}
_NAMED = {*_CONSTRAINTS, Kind.INDEX}
_KEYS = {Kind.PRIMARY_KEY, Kind.UNIQUE}
#: The constraints that can be added without a look at the rows.
_CHECKED = {Kind.CHECK, Kind.FOREIGN_KEY}

#: The parts of columns that models declare. Alembic compares columns and comments itself.
_ASPECTS = (
    *(Kind.SEQUENCE, Kind.IDENTITY, Kind.GENERATED, Kind.TYPE, Kind.DEFAULT),
    *(Kind.NULLABILITY, Kind.OWNER),
)

#: The constraints in an order in which they can be created. An index comes with none of them.
_ORDER = (*_ASPECTS, *(kind for kind in Kind if kind in _NAMED))

#: The table in the definition of a foreign key.
REFERENCED = re.compile(r"(?<=\bREFERENCES )[^(]+(?=\()")

_KEY = re.compile(
    r"(?P<kind>PRIMARY KEY|UNIQUE)(?P<nulls> NULLS NOT DISTINCT)? (?P<columns>\([^()]*\))"
    r"(?P<include> INCLUDE \([^()]*\))?(?P<rest>.*)"
)


@dataclass
class SchemaChanges:
    """The changes of the tables of one schema."""

    expected: Parts
    actual: Parts
    #: The schema, as the project's models have it: None for that of the search path.
    schema: str | None
    #: The tables as SQL names them in a migration, by their names in `expected`.
    names: Mapping[str, str]
    #: The storage parameters of tables and indexes, by names, in the models and in the database.
    storage: tuple[Mapping[str, dict[str, str]], Mapping[str, dict[str, str]]]
    #: The CHECKs of the models in their own words, by keys of parts. PostgreSQL's text of them is
    #: less readable, and may be printed differently once it is read again (a jsonpath).
    words: Mapping[str, str] = field(default_factory=dict)
    steps: list[MigrateOperation] = field(default_factory=list)
    #: The CHECKs that were replaced together with their column's type.
    replaced: set[str] = field(default_factory=set)
    #: The constraints to validate, by phases and tables: each table is read once.
    unvalidated: dict[tuple[Phase, str], list[str]] = field(default_factory=dict)
    #: The steps after the validation.
    later_steps: list[Step] = field(default_factory=list)

    def find(self) -> list[MigrateOperation]:
        """Return the steps, in the order of their creation within a phase."""
        self._rename()
        self._drop_extra()
        for kind in _ORDER:
            for part in sorted(self.expected.values(), key=lambda part: part.key):
                if part.kind is kind and self._is_compared(part):
                    self._bring(part, self.actual.get(part.key))
        for part in self.actual.values():
            if part.kind in {Kind.DEFAULT, Kind.IDENTITY, Kind.GENERATED}:
                self._drop_aspect(part)
        self._set_storage()
        for (phase, table), names in self.unvalidated.items():
            actions = ", ".join(f"VALIDATE CONSTRAINT {name}" for name in names)
            change = Change("not valid", "constraints", table)
            self.steps.append(Step(phase, change, [f"ALTER TABLE {table} {actions}"]))
        return [*self.steps, *self.later_steps]

    def _is_compared(self, part: Part) -> bool:
        """Return whether the table is there, and the column of an aspect, which has no own name."""
        table = self.actual.get(f"{Kind.TABLE} {part.table}")
        if table is None or table.definition not in TABLES:
            return False
        if part.kind not in _ASPECTS:
            return True
        # Alembic adds and drops columns, with all their aspects.
        columns = [key for key in part.depends_on if key.startswith(f"{Kind.COLUMN} ")]
        return all(key in self.actual and key in self.expected for key in columns)

    # -- statements --------------------------------------------------------------------------------

    def _table(self, part: Part) -> str:
        return self.names.get(part.table, part.table)

    def _alter(self, part: Part, *actions: str) -> str:
        return f"ALTER TABLE {self._table(part)} {', '.join(actions)}"

    def _definition(self, part: Part) -> str:
        """Return the definition, with the schema before the names of tables and sequences."""
        if part.kind is Kind.FOREIGN_KEY:
            return REFERENCED.sub(lambda found: self.names.get(found[0], found[0]), part.definition)
        if part.kind is Kind.CHECK and part is self.expected.get(part.key):
            return self.words.get(part.key, part.definition)
        return part.definition

    def _add(self, part: Part, *, valid: bool) -> str:
        state = "" if valid or part.kind not in _CHECKED else " NOT VALID"
        return f"ADD CONSTRAINT {part.name} {self._definition(part)}{state}"

    def _step(
        self,
        phase: Phase,
        verb: str,
        part: Part,
        upgrade: Iterable[str],
        downgrade: Iterable[str] = (),
    ) -> None:
        change = Change(verb, part.kind, part.location)
        self.steps.append(Step(phase, change, upgrade, downgrade))

    def _validate(self, phase: Phase, part: Part, name: str) -> None:
        self.unvalidated.setdefault((phase, self._table(part)), []).append(name)

    # -- constraints and indexes ------------------------------------------------------------------

    def _rename(self) -> None:
        """Rename the parts that differ in nothing but the name."""
        for kind in _ORDER:
            if kind not in _NAMED:
                continue
            pairs = [
                (new, old)
                for new, old in find_renamed_parts(self.expected, self.actual, kind)
                if self._is_compared(new)
            ]
            for new, old in pairs:
                if kind is Kind.INDEX:
                    place = f"{self.names[old.table].rpartition('.')[0]}.".lstrip(".")
                    renames = [
                        f"ALTER INDEX {place}{first} RENAME TO {second}"
                        for first, second in ((old.name, new.name), (new.name, old.name))
                    ]
                else:
                    renames = [
                        self._alter(new, f"RENAME CONSTRAINT {first} TO {second}")
                        for first, second in ((old.name, new.name), (new.name, old.name))
                    ]
                self._step(Phase.CHANGE, "renamed", new, renames[:1], renames[1:])
                del self.actual[old.key]
                self.actual[new.key] = new

    def _drop_extra(self) -> None:
        for part in sorted(self.actual.values(), key=lambda part: part.key):
            if part.kind not in _NAMED or part.key in self.expected:
                continue
            if f"{Kind.TABLE} {part.table}" not in self.expected:
                continue
            if part.kind is Kind.INDEX:
                name, table = unquoted(part.name), unquoted(part.table)
                created = CreateIndexConcurrently(name, table, *self._index(part))
                self.steps.append(DropIndexConcurrently(name, table, self.schema, created))
                continue
            phase = Phase.KEYS if part.kind in _KEYS else Phase.CHANGE
            drop = self._alter(part, f"DROP CONSTRAINT {part.name}")
            self._step(
                phase, "extra", part, [drop], [self._alter(part, self._add(part, valid=True))]
            )

    def _bring(self, part: Part, other: Part | None) -> None:
        """Add the steps that give the database a part of the models."""
        if part.kind in _ASPECTS:
            if other is None or other.definition != part.definition:
                self._bring_aspect(part, other)
        elif part.kind is Kind.INDEX:
            if other is None or other.description != part.description:
                self._bring_index(part, other)
        elif part.kind in _KEYS:
            if other is None or other.description != part.description:
                self._bring_key(part, other)
        elif part.kind is Kind.EXCLUSION:
            if other is None or other.definition != part.definition:
                self._replace(Phase.CHANGE, part, other)
        elif part.key not in self.replaced:
            self._bring_checked(part, other)

    def _index(self, part: Part) -> tuple[str, dict[str, object]]:
        unique, _, using = part.definition.partition("USING ")
        options: dict[str, object] = {"unique": True} if unique else {}
        if self.schema:
            options["schema"] = self.schema
        return f"USING {using}", options

    def _bring_index(self, part: Part, other: Part | None) -> None:
        name, table = unquoted(part.name), unquoted(part.table)
        if other is None:
            self.steps.append(CreateIndexConcurrently(name, table, *self._index(part)))
        else:
            former = ReplaceIndexConcurrently(name, table, *self._index(other))
            wanted = ReplaceIndexConcurrently(name, table, *self._index(part), former)
            self.steps.append(wanted)

    def _bring_key(self, part: Part, other: Part | None) -> None:
        found = _KEY.fullmatch(part.definition)
        if found is None:
            self._replace(Phase.KEYS, part, other)
            return
        columns = f"{found['columns']}{found['include'] or ''}{found['nulls'] or ''}"
        name = unquoted(part.name) if other is None else interim_name(unquoted(part.name))
        options: dict[str, object] = {"unique": True}
        if self.schema:
            options["schema"] = self.schema
        self.steps.append(CreateIndexConcurrently(name, unquoted(part.table), columns, options))
        referrers = self._referrers(part) if other is not None else []
        drops = [self._alter(key, f"DROP CONSTRAINT {key.name}") for key in referrers]
        attach = (
            f"ADD CONSTRAINT {part.name} {found['kind']} USING INDEX {_quoted(name)}{found['rest']}"
        )
        drop = f"DROP CONSTRAINT {part.name}"
        back = [self._alter(key, self._add(key, valid=True)) for key in referrers]
        if other is None:
            self._step(
                Phase.KEYS, "missing", part, [self._alter(part, attach)], [self._alter(part, drop)]
            )
            return
        again = [self._alter(key, self._add(key, valid=False)) for key in referrers]
        self._step(
            Phase.KEYS,
            "changed",
            part,
            [*drops, self._alter(part, drop, attach), *again],
            [*drops, self._alter(part, drop, self._add(other, valid=True)), *back],
        )
        for key in referrers:
            self._validate(Phase.REFERENCES, key, key.name)

    def _referrers(self, key: Part) -> list[Part]:
        """Return the unchanged foreign keys that refer to a key."""
        return [
            part
            for part in self.expected.values()
            if part.kind is Kind.FOREIGN_KEY
            and part.key in self.actual
            and self.actual[part.key].definition == part.definition
            and key.key in self.actual[part.key].depends_on
        ]

    def _replace(self, phase: Phase, part: Part, other: Part | None) -> None:
        drop = f"DROP CONSTRAINT {part.name}"
        before = [drop] if other is not None else []
        after = [self._add(other, valid=True)] if other is not None else []
        self._step(
            phase,
            "missing" if other is None else "changed",
            part,
            [self._alter(part, *before, self._add(part, valid=False))],
            [self._alter(part, drop, *after)],
        )

    def _bring_checked(self, part: Part, other: Part | None) -> None:
        phase, validation = Phase.CHANGE, Phase.VALIDATION
        if part.kind is Kind.FOREIGN_KEY and self._is_on_new_key(part):
            phase, validation = Phase.KEYS, Phase.REFERENCES
        if other is None or other.definition != part.definition:
            if other is not None and phase is Phase.KEYS:
                # The former key must be free to be dropped.
                drop = self._alter(part, f"DROP CONSTRAINT {part.name}")
                back = self._alter(part, self._add(other, valid=True))
                self._step(Phase.CHANGE, "changed", part, [drop], [back])
                other = None
            self._replace(phase, part, other)
        elif not (other.state and not part.state):
            return
        self._validate(validation, part, part.name)

    def _is_on_new_key(self, part: Part) -> bool:
        keys = [
            key
            for key in part.depends_on
            if key.startswith(tuple(f"{kind} " for kind in _KEYS)) and key in self.expected
        ]
        return any(
            key not in self.actual or self.actual[key].definition != self.expected[key].definition
            for key in keys
        )

    # -- columns -----------------------------------------------------------------------------------

    def _bring_aspect(self, part: Part, other: Part | None) -> None:
        if part.kind is Kind.TYPE and other is not None:
            self._change_type(part, other)
        elif part.kind is Kind.NULLABILITY and other is not None:
            self._change_nullability(part)
        elif part.kind is Kind.DEFAULT:
            set_to = self._alter_column(part, f"SET DEFAULT {self._definition(part)}")
            back = f"SET DEFAULT {self._definition(other)}" if other else "DROP DEFAULT"
            verb = "changed" if other else "missing"
            if f"{Kind.TYPE} {part.location}" in self._changed_types():
                return  # the step of the type sets the default, too
            self._step(Phase.CHANGE, verb, part, [set_to], [self._alter_column(part, back)])
        else:
            self._repair(part, other)

    def _alter_column(self, part: Part, action: str) -> str:
        return self._alter(part, f"ALTER COLUMN {part.name} {action}")

    def _set_default(self, part: Part) -> str:
        return self._alter_column(part, f"SET DEFAULT {self._definition(part)}")

    def _changed_types(self) -> set[str]:
        return {
            key
            for key, part in self.expected.items()
            if part.kind is Kind.TYPE
            and key in self.actual
            and self.actual[key].definition != part.definition
        }

    def _change_type(self, part: Part, other: Part) -> None:
        column = f"{Kind.COLUMN} {part.location}"
        checks = [
            check
            for check in self.expected.values()
            if check.kind is Kind.CHECK and column in check.depends_on and check.key in self.actual
        ]
        self.replaced.update(check.key for check in checks)

        def statements(wanted: Part, found: Part, parts: Parts, others: Parts) -> list[str]:
            default = parts.get(f"{Kind.DEFAULT} {part.location}")
            old_default = others.get(f"{Kind.DEFAULT} {part.location}")
            definitions = {check.name: self._definition(parts[check.key]) for check in checks}
            using, _ = repair.conversion(wanted, found)
            result = widening(
                self._table(part), part.name, f"{wanted.definition}{using}", definitions
            )
            before, after = [], []
            if using or default != old_default:
                # A default may not fit the other type.
                before = [self._alter_column(part, "DROP DEFAULT")] if old_default else []
                after = [self._set_default(default)] if default else []
            return [*before, result.change, *after, *([result.validate] if checks else [])]

        upgrade = statements(part, other, self.expected, self.actual)
        if checks:
            upgrade.pop()
        downgrade = statements(other, part, self.actual, self.expected)
        self._step(Phase.CHANGE, "changed", part, upgrade, downgrade)
        for check in checks:
            self._validate(Phase.VALIDATION, check, check.name)

    def _change_nullability(self, part: Part) -> None:
        if part.definition == "NULL":
            down = [self._alter_column(part, "SET NOT NULL")]
            self._step(
                Phase.CHANGE, "changed", part, [self._alter_column(part, "DROP NOT NULL")], down
            )
            return
        # PostgreSQL does not read the rows again when a valid CHECK proves it.
        name = _quoted(f"ck_{unquoted(part.table)}_{unquoted(part.name)}_not_null"[:63])
        add = f"ADD CONSTRAINT {name} CHECK ({part.name} IS NOT NULL) NOT VALID"
        drop = self._alter(part, f"DROP CONSTRAINT IF EXISTS {name}")
        self._step(Phase.CHANGE, "changed", part, [self._alter(part, add)], [drop])
        self._validate(Phase.VALIDATION, part, name)
        require = self._alter(
            part, f"ALTER COLUMN {part.name} SET NOT NULL", f"DROP CONSTRAINT {name}"
        )
        allow = self._alter_column(part, "DROP NOT NULL")
        change = Change("changed", part.kind, part.location)
        self.later_steps.append(Step(Phase.VALIDATION, change, [require], [allow]))

    def _repair(self, part: Part, other: Part | None) -> None:
        """Add the SQL by which `check` repairs rarer parts: sequences and generated columns."""
        upgrade = _without_comment(repair.change(part, other) if other else repair.create([part]))
        if other:
            downgrade = _without_comment(repair.change(other, part))
        elif part.kind is Kind.SEQUENCE:
            downgrade = [f"DROP SEQUENCE IF EXISTS {part.name}"]
        elif part.kind is Kind.OWNER:
            downgrade = [f"ALTER SEQUENCE {part.name} OWNED BY NONE"]
        else:
            downgrade = _without_comment(repair.remove(part))
        if upgrade:
            verb = "changed" if other else "missing"
            self._step(Phase.CHANGE, verb, part, upgrade, downgrade)
        else:
            warn(f"write the change of {part.key} by hand: {part.definition}")

    def _drop_aspect(self, part: Part) -> None:
        if part.key in self.expected or not self._is_compared(part):
            return
        if part.kind is Kind.DEFAULT:
            if f"{Kind.TYPE} {part.location}" in self._changed_types():
                return
            back = self._alter_column(part, f"SET DEFAULT {self._definition(part)}")
            self._step(
                Phase.CHANGE, "extra", part, [self._alter_column(part, "DROP DEFAULT")], [back]
            )
            return
        upgrade = _without_comment(repair.remove(part))
        if upgrade:
            down = _without_comment(repair.create([part]))
            self._step(Phase.CHANGE, "extra", part, upgrade, down)
        else:
            warn(f"write the removal of {part.key} by hand: {part.definition}")

    # -- storage -----------------------------------------------------------------------------------

    def _set_storage(self) -> None:
        """Set the storage parameters of the models. All others are the administrator's."""
        wanted, found = self.storage
        for name, parameters in sorted(wanted.items()):
            old = found.get(name, {})
            changed = {key: value for key, value in parameters.items() if old.get(key) != value}
            if not changed or name not in found:
                continue
            kind = "TABLE" if name in self.names else "INDEX"
            relation = (
                self.names.get(name) or f"{_quoted(self.schema)}.{name}" * bool(self.schema) or name
            )
            listed = ", ".join(f"{key} = {value}" for key, value in changed.items())
            kept = ", ".join(f"{key} = {old[key]}" for key in changed if key in old)
            unset = ", ".join(key for key in changed if key not in old)
            back = [*([f"SET ({kept})"] if kept else []), *([f"RESET ({unset})"] if unset else [])]
            change = Change("changed", "storage", name)
            self.steps.append(
                Step(
                    Phase.CHANGE,
                    change,
                    [f"ALTER {kind} {relation} SET ({listed})"],
                    [f"ALTER {kind} {relation} {action}" for action in back],
                )
            )


def _without_comment(sql: str) -> list[str]:
    statement = sql.partition("--")[0].strip().rstrip(";")
    return [statement] if statement else []


def unquoted(name: str) -> str:
    """Return a name without the quotes of SQL."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _quoted(name: str | None) -> str:
    name = name or ""
    if re.fullmatch(r"[a-z_][a-z0-9_$]*", name):
        return name
    return '"{}"'.format(name.replace('"', '""'))
