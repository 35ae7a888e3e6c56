# requirement: click
# imports: click, click.testing
import click
import click.testing

command = click.command()(click.option("--count", type=int, default=1)(lambda count: click.echo("x" * count)))
assert click.testing.CliRunner().invoke(command, ["--count", "3"]).output == "xxx\n"
