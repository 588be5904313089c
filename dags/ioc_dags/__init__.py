"""What the DAG files share: the domain's corridor, the rules every DAG obeys, and the steps that call the libraries."""
