CREATE SCHEMA mainstay;
CREATE TABLE mainstay.format (version bigint NOT NULL);
INSERT INTO mainstay.format VALUES (1);
CREATE TABLE mainstay.object (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    size bigint NOT NULL,
    head bytea NOT NULL
);
CREATE UNIQUE INDEX object_key ON mainstay.object (namespace, key) INCLUDE (size);
CREATE TABLE mainstay.chunk (
    object bigint NOT NULL REFERENCES mainstay.object ON DELETE CASCADE,
    number bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (object, number)
);
ALTER TABLE mainstay.object ALTER COLUMN head SET STORAGE EXTERNAL;
ALTER TABLE mainstay.chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;
INSERT INTO mainstay.object (namespace, key, size, head) VALUES
    ('main', 'log/1', 5, 'first'),
    ('main', 'log/2', 6, 'second'),
    ('main', 'empty', 0, ''),
    ('main', 'pack/1', 1048579, decode(repeat('00', 1048576), 'hex')),
    ('other', 'log/1', 5, 'other');
INSERT INTO mainstay.chunk (object, number, bytes)
    SELECT id, 1, 'end' FROM mainstay.object WHERE key = 'pack/1';
