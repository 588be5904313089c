"""Stand-in of the air-quality stations: TT 10/2021 text files over FTP and SFTP, and one real hourly series."""
