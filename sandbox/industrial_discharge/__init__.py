"""Stand-in of the discharge stations: waste water and flue gas, TT 10/2021 text files over FTP and SFTP."""
